//! `/registries`: connections to registry hosts.

pub(super) mod change;
pub(super) mod create;
mod facts;
mod input;
pub(super) mod list;
pub(super) mod preview;
mod previewed;
pub(super) mod remove;
pub(super) mod show;
mod view;

pub use facts::{CertificateFact, CredentialFact, FlavourFact, RegistryFactsView};
pub use input::{ChangeRegistry, CreateRegistry};
pub use previewed::{PreviewLine, PreviewedRepositories, PreviewedTags, RegistryPreview};
pub use view::{Registry, SensorName};
