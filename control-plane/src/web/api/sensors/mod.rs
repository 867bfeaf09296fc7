//! `/sensors`: those that have enrolled. How they are invited is `/invitations`.

pub(super) mod approve;
pub(super) mod delete;
pub(super) mod list;
pub(super) mod resume;
pub(super) mod revoke;
pub(super) mod show;
pub(super) mod story;
pub(super) mod suspend;
mod view;

pub use view::{Host, Sensor};
