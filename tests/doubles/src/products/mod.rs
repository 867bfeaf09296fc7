//! Other products than GitLab, one file or folder each: their challenge, their own API, and their quirks, as far as their sources confirm
//! them. Each is a `RegistryDouble`-like handle: content, faults, and a log of what was asked.

mod artifactory;
mod double;
mod gitea;
mod google;
mod harbor;
mod hub;
mod nexus;
mod quay;
mod stage;
mod tokens;
mod unconditional;
mod v2;
mod zot;

pub use artifactory::{ArtifactoryDouble, ArtifactoryKind, ArtifactoryLogin, ArtifactoryManners};
pub use double::ProductDouble;
pub use gitea::{GiteaAge, GiteaDouble};
pub use google::{Google, GoogleDouble};
pub use harbor::{Harbor, HarborDouble};
pub use hub::{HubDouble, HubManners};
pub use nexus::{NexusDouble, NexusKind, NexusManners};
pub use quay::{Quay, QuayDouble};
pub use stage::Stage;
pub use zot::{Zot, ZotDouble};
