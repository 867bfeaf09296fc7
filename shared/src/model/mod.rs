//! The vocabulary: checked types for everything that crosses an edge. Pure data and parsing; no clock, no I/O, no wire format.
//!
//! A value of one of these types is known to be well formed and within its bound ([`limits`]). Conversions from text or bytes
//! are fallible and their errors name what was wrong.

mod address;
mod command_line;
mod coverage;
mod credential_reference;
mod diagnosis;
mod digest;
mod event;
mod facts;
pub mod finding;
mod ids;
mod inventory;
pub mod limits;
pub mod manifest;
mod media_type;
mod names;
mod patterns;
mod platform;
mod reference;
mod registry;
mod run;
mod sensor;
mod tag_filter;
mod text;
mod webhook_url;
mod words;

pub use address::{NEVER_CONTACTED, in_block, meanings_of_address, never_contacted};
pub use command_line::{CommandLine, Commands};
pub use coverage::{
    Coverage, CoverageEntry, DiscoveryMethod, DiscoveryStep, ListingMethod, ListingStep, RepositoryOutcome,
};
pub use credential_reference::CredentialReference;
pub use diagnosis::{Diagnosis, Stage, StageReport, Verdict};
pub use digest::{Digest, DigestError, DigestMismatch, StateHash, StateHasher};
pub use event::{EventAction, EventSubject, NotifyCount, RelayedEvent, RelayedEvents};
pub use facts::{
    CertificateFacts, Confidence, CredentialFacts, CredentialKind, Detection, Flavour, RegistryFacts,
};
pub use finding::{Finding, FindingCode, Severity};
pub use ids::{
    ApiTokenId, CredentialId, IdError, InvitationId, ProbeId, RegistryId, RunId, SensorId, TenantId,
    WebhookId,
};
pub use inventory::{ContentKind, OfferedRepository, TagObservation};
pub use media_type::{MediaType, MediaTypeError};
pub use names::{NameError, RegistryName, RepositoryName, TagName, WebhookName};
pub use patterns::{NamePatterns, PatternError, RepositoryPatterns};
pub use platform::Platform;
pub use reference::{ImageReference, ReferenceError, ReferenceTarget};
pub use registry::{Budget, CaTrust, RegistryTarget, RegistryUrl, RegistryUrlError};
pub use run::{AttemptRef, RunProgress, RunState, RunTrigger, Scope, TagReference};
pub use sensor::{HostFacts, Reason, SensorState};
pub use tag_filter::{LeftOut, TagFilter};
pub use text::{printable, truncated};
pub use webhook_url::{WebhookUrl, WebhookUrlError};
pub(crate) use words::words;
