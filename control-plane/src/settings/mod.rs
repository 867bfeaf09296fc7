//! Settings of `portolan server`: read once from flags, environment and an optional file, checked together, and handed on as one struct a
//! subject. Nothing else of the server reads flags, environment or settings files.

mod args;
mod file;
mod limits;
mod server;

pub use args::ServerArgs;
pub use limits::{DoorLimits, RateLimit};
pub use server::{HttpSettings, HttpTls, LogSettings, SensorSettings, Settings, SettingsError};
