//! Time as an argument.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::Timestamp;

/// Time since the machine started, time asleep included. For measuring spans: it neither jumps nor stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Uptime(pub Duration);

impl Uptime {
    /// How long ago `earlier` was; zero if it was later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// Where time comes from.
pub trait Clock: Send + Sync {
    /// The time of day. May jump.
    fn now(&self) -> Timestamp;

    /// The time since the machine started. Leases and deadlines are measured with this.
    fn uptime(&self) -> Uptime;
}

/// The machine's clocks. Uptime is `CLOCK_BOOTTIME`, because Rust's `Instant` stops while a Linux host sleeps.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where the time of day is read"
    )]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn uptime(&self) -> Uptime {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
        let nanos = u32::try_from(time.tv_nsec).unwrap_or(0);
        Uptime(Duration::new(seconds, nanos))
    }
}

/// A clock that moves only when told to, for tests.
#[derive(Debug)]
pub struct ManualClock {
    now_millis: AtomicI64,
    uptime_millis: AtomicI64,
}

impl ManualClock {
    /// A clock that shows `seconds` since the Unix epoch, on a machine that started a day before.
    #[must_use]
    pub fn at_unix_seconds(seconds: i64) -> Self {
        Self {
            now_millis: AtomicI64::new(seconds * 1_000),
            uptime_millis: AtomicI64::new(86_400_000),
        }
    }

    /// Moves both clocks forward.
    pub fn advance(&self, by: Duration) {
        let millis = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.now_millis.fetch_add(millis, Ordering::SeqCst);
        self.uptime_millis.fetch_add(millis, Ordering::SeqCst);
    }

    /// Sets the time of day alone, as an administrator or NTP does.
    pub fn jump_to(&self, now: Timestamp) {
        self.now_millis.store(now.as_millisecond(), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.now_millis.load(Ordering::SeqCst)).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    fn uptime(&self) -> Uptime {
        let millis = u64::try_from(self.uptime_millis.load(Ordering::SeqCst)).unwrap_or(0);
        Uptime(Duration::from_millis(millis))
    }
}
