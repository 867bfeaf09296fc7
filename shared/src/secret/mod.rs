//! Values that cannot be printed, logged or serialised, URLs that can, the enrolment token, and credentials sealed to sensors.

mod enrolment_token;
mod redacted_url;
pub mod sealed;
mod value;

pub use enrolment_token::{EnrolmentToken, EnrolmentTokenError};
pub use redacted_url::RedactedUrl;
pub use value::{Secret, SecretBytes};
