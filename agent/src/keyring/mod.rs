//! What this sensor is: its keys, its certificate, whom it trusts, and where they lie on disk.
//!
//! | file | what | kept twice |
//! | --- | --- | --- |
//! | `lock` | held while an agent runs, so that two never share a directory | |
//! | `enrolment` | where the enrolment stands: pending, enrolled or revoked, and as whom | |
//! | `identity.key` | Ed25519, made once; says who this sensor is | |
//! | `tls.key` | ECDSA P-256 of the first certificate, only while an enrolment is pending | |
//! | `certificate` | the current certificate and its key, together so that they always belong to each other | yes |
//! | `continuity` | the last continuity token; never kept twice, so that an older one is never shown | |
//! | `trust` | the roots that the control plane is trusted by | yes |
//! | `incarnation` | how often the agent was started since enrolment | |
//! | `sealing.keys` | X25519: what credentials are sealed to, and former keys that still have to open some; a deleted one is nowhere else | |
//! | `credential.versions` | the highest version of each sealed credential that has worked; never kept twice, so that an older one is never used | |
//!
//! The directory has mode 0700, each file 0600 and a line with its checksum in front. Files are replaced whole. Where the current
//! generation of a file that is kept twice is damaged, the previous one is used; nothing is ever deleted because it could not be read.
//! A sensor that has lost its certificate or its continuity token still has its identity: it says what is missing, and asks for another.
//! No network here, and nothing of what the control plane says is acted on here.

mod certificate;
mod continuity;
mod directory;
mod enrolment;
mod envelope;
mod error;
mod files;
mod floors;
mod key;
mod moment;
mod new_identity;
mod ring;
mod sealed;
mod sealing;
mod trust;

pub use certificate::StoredCertificate;
pub use continuity::ContinuityToken;
pub use directory::StateDir;
pub use enrolment::{Enrolled, Enrolment, Pending, Revoked};
pub use error::KeyringError;
pub use floors::{FLOORS, VersionFloors};
pub use key::{IdentityKey, TlsKey};
pub use moment::Moment;
pub use new_identity::NewIdentity;
pub use ring::Keyring;
pub use sealing::{
    BothClocks, Doubt, FORMER_KEY_LIFE, GenerationRefused, SEALING_KEY_LIFE, SealingKey, SealingKeys,
};
pub use trust::TrustBundle;
