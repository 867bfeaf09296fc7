//! What this sensor is: its keys, its certificate, whom it trusts, and where they lie on disk.
//!
//! | file | what | kept twice |
//! | --- | --- | --- |
//! | `lock` | held while an agent runs, so that two never share a directory | |
//! | `enrolment` | where the enrolment stands: pending, enrolled or revoked, and as whom | |
//! | `identity.key` | Ed25519, made once; says who this sensor is | |
//! | `tls.key` | ECDSA P-256 of the first certificate, only while an enrolment is pending | |
//! | `certificate` | the current certificate and its key, together so that they always belong to each other | yes |
//! | `trust` | the roots that the control plane is trusted by | yes |
//! | `incarnation` | how often the agent was started since enrolment | |
//!
//! The directory has mode 0700, each file 0600 and a line with its checksum in front. Files are replaced whole. Where the current
//! generation of a file that is kept twice is damaged, the previous one is used; nothing is ever deleted because it could not be read.
//! No network here, and nothing of what the control plane says is acted on here.

mod certificate;
mod directory;
mod enrolment;
mod envelope;
mod error;
mod key;
mod ring;
mod trust;

pub use certificate::StoredCertificate;
pub use directory::StateDir;
pub use enrolment::{Enrolled, Enrolment, Pending, Revoked};
pub use error::KeyringError;
pub use key::{IdentityKey, TlsKey};
pub use ring::{Keyring, NewIdentity};
pub use trust::TrustBundle;
