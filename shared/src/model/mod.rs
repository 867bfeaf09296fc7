//! The vocabulary: checked types for everything that crosses an edge. Pure data and parsing; no clock, no I/O, no wire format.
//!
//! A value of one of these types is known to be well formed and within its bound ([`limits`]). Conversions from text or bytes
//! are fallible and their errors name what was wrong.

mod address;
mod coverage;
mod digest;
mod finding;
mod ids;
mod inventory;
pub mod limits;
pub mod manifest;
mod media_type;
mod names;
mod platform;
mod reference;
mod registry;
mod run;
mod sensor;
mod text;
mod words;

pub use address::{meanings_of_address, never_contacted};
pub use coverage::{Coverage, CoverageEntry, DiscoveryMethod, DiscoveryStep, RepositoryOutcome};
pub use digest::{Digest, DigestError, DigestMismatch, StateHash, StateHasher};
pub use finding::{Finding, FindingCode, Severity};
pub use ids::{ApiTokenId, IdError, InvitationId, RegistryId, RunId, SensorId, TenantId};
pub use inventory::{ContentKind, OfferedRepository, TagObservation};
pub use media_type::{MediaType, MediaTypeError};
pub use names::{NameError, RegistryName, RepositoryGlobs, RepositoryName, TagName};
pub use platform::Platform;
pub use reference::{ImageReference, ReferenceError, ReferenceTarget};
pub use registry::{Budget, CaTrust, CredentialReference, RegistryTarget, RegistryUrl, RegistryUrlError};
pub use run::{AttemptRef, RunProgress, RunState, RunTrigger, Scope};
pub use sensor::{HostFacts, Reason, SensorState};
pub use text::{printable, truncated};
