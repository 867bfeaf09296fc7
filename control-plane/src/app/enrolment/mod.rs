//! How a machine becomes a sensor, renews its certificate or recovers it, and asks for its own standing.

mod claim;
mod entry;
mod invite;
mod recover;
mod renew;
mod standing;

pub use claim::{AdmittedSensor, EnrolledSensor, EnrolmentAttempt, EnrolmentError, IssuedSensor, LateNote};
pub use invite::{INVITATION_LIFE, Invited};
pub use recover::{RecoveryAttempt, RecoveryError};
pub use renew::RenewalError;
pub use standing::Standing;
