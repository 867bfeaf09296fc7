//! Values that cannot be printed, logged or serialised, URLs that can, and the enrolment token.

mod enrolment_token;
mod redacted_url;
mod value;

pub use enrolment_token::{EnrolmentToken, EnrolmentTokenError};
pub use redacted_url::RedactedUrl;
pub use value::{Secret, SecretBytes};
