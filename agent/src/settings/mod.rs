//! Settings: read once, before anything is opened; every fault is reported together.
//!
//! Each setting has a flag, an environment variable and a key of the settings file, which win in this order. The environment is read here and
//! nowhere else; what others need of it is handed to them. `jobs` and `notify` are in the file alone.

mod environment;
mod error;
mod file;
mod health;
mod log;
mod notify;
mod proxy;
mod run;
mod source;

pub use environment::Environment;
pub use error::{SettingFault, SettingsError};
pub use health::HealthSettings;
pub use log::LogSettings;
pub use notify::{NotifyRegistry, NotifySettings, NotifyTls};
pub use proxy::ProxySettings;
pub use run::{DEFAULT_DATA_DIR, Flags, Settings, SettingsFile};
