//! `/registries`: connections to registry hosts.

pub(super) mod change;
pub(super) mod create;
pub(super) mod list;
pub(super) mod remove;
pub(super) mod show;
mod view;

pub use view::{ChangeRegistry, CreateRegistry, Registry, SensorName};
