//! `/sensors`: those that have enrolled. How they are invited is `/invitations`.

pub(super) mod list;
pub(super) mod revoke;
pub(super) mod show;
mod view;

pub use view::{Host, Sensor};
