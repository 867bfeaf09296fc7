//! Plumbing of a long-running process: time and randomness as arguments, shutdown in two stages, named tasks, the one retry
//! policy, proxies, logging. The globals that these replace are banned by lint everywhere else.

mod clock;
mod files;
mod pace;
mod proxy;
mod retry;
mod rng;
mod shutdown;
mod tasks;
mod telemetry;

pub use clock::{Clock, ManualClock, SystemClock, Uptime};
pub use files::{
    FileError, Owner, create_private_dir, create_private_file, open_bounded, read_bounded, remove_if_there,
    with_suffix, write_atomically, write_atomically_for,
};
pub use pace::Pace;
pub use proxy::{ProxyExceptions, ProxyRules, ProxyRulesError, ProxyUrl, ProxyUrlError};
pub use retry::{Retry, RetryPolicy};
pub use rng::{Rng, SeededRng, SystemRng};
pub use shutdown::Shutdown;
pub use tasks::Tasks;
pub use telemetry::{LogFormat, TelemetryError, start_logging};
