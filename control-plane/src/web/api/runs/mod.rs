//! `/runs`: syncs of registries, and what each saw and could not see.

pub(super) mod cancel;
pub(super) mod coverage;
pub(super) mod list;
pub(super) mod queue;
pub(super) mod show;
mod view;

pub use view::{
    Changes, Coverage, CoverageLine, CreateRun, DiscoveryStepView, ListingStepView, Progress, QueuedRunView,
    RegistryNamed, Run, RunReasonView,
};
