//! `/registries`: connections to registry hosts.

pub(super) mod change;
pub(super) mod create;
mod facts;
mod input;
pub(super) mod list;
pub(super) mod pause;
pub(super) mod preview;
mod previewed;
pub(super) mod remove;
pub(super) mod resume;
mod schedule;
pub(super) mod show;
mod view;
pub(super) mod webhook;

pub use facts::{CertificateFact, CredentialFact, FlavourFact, RegistryFactsView};
pub use input::{ChangeRegistry, CreateRegistry};
pub use previewed::{PreviewLine, PreviewedRepositories, PreviewedTags, RegistryPreview};
pub use schedule::{ScheduleInput, ScheduleView};
pub use view::{Registry, SensorName};
pub use webhook::{EventCountView, ListenerView, RegistryWebhookView};
