//! The machine's clock, set forward.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use portolan_shared::process::{Clock, SystemClock, Uptime};

/// Runs like the machine's clock, but ahead of it.
#[derive(Debug, Default)]
pub(crate) struct AheadClock(AtomicU64);

impl AheadClock {
    /// Moves it forward.
    pub(crate) fn advance(&self, by: Duration) {
        self.0.fetch_add(by.as_secs(), Ordering::SeqCst);
    }

    fn ahead(&self) -> Duration {
        Duration::from_secs(self.0.load(Ordering::SeqCst))
    }
}

impl Clock for AheadClock {
    fn now(&self) -> Timestamp {
        SystemClock.now().checked_add(self.ahead()).unwrap()
    }

    fn uptime(&self) -> Uptime {
        Uptime(SystemClock.uptime().0 + self.ahead())
    }
}
