//! Builds the control plane from its settings, starts its tasks and stops them again. The only place that knows everything.

mod control_plane;
mod data_dir;
mod listeners;
mod lock;
mod metrics;
mod parts;
mod pulse;
mod run;
mod server_certificate;

pub use control_plane::ControlPlane;
pub use data_dir::{DataDir, DataDirError};
pub use listeners::Bound;
pub use metrics::router as metrics_router;
pub use parts::{Deps, StartError};
pub use run::run;
