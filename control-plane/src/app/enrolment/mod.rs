//! How a machine becomes a sensor, renews its certificate, and asks for its own standing.

mod claim;
mod entry;
mod invite;
mod renew;
mod standing;

pub use claim::{EnrolmentAttempt, EnrolmentError, IssuedSensor, LateNote};
pub use invite::{INVITATION_LIFE, Invited};
pub use renew::RenewalError;
pub use standing::Standing;
