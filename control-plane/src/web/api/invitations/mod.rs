//! `/invitations`: enrolment tokens that were made for machines that are to become sensors.

pub(super) mod create;
pub(super) mod list;
pub(super) mod revoke;
mod view;

pub use view::{CreateInvitation, CreatedInvitation, Invitation};
