//! `/probes`: looks of sensors at registries, stage by stage.

pub(super) mod create;
pub(super) mod of_registry;
pub(super) mod show;
mod view;

pub use view::{CreateProbe, CreateRegistryProbe, Probe, StageView};
