//! A clock that runs like the machine's, and that a test can set forward: as a machine's is by sleeping, or by a wrong hand.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use portolan_shared::process::{Clock, SystemClock, Uptime};

#[derive(Default)]
pub struct ShiftedClock {
    wall: AtomicI64,
    uptime: AtomicI64,
}

impl ShiftedClock {
    /// Time passes, whether somebody was awake or not.
    pub fn pass(&self, hours: i64) {
        self.set_wall_ahead(hours);
        self.uptime.fetch_add(hours * 3_600_000, Ordering::SeqCst);
    }

    /// The time of day alone is set.
    pub fn set_wall_ahead(&self, hours: i64) {
        self.wall.fetch_add(hours * 3_600_000, Ordering::SeqCst);
    }
}

impl Clock for ShiftedClock {
    fn now(&self) -> Timestamp {
        SystemClock.now() + SignedDuration::from_millis(self.wall.load(Ordering::SeqCst))
    }

    fn uptime(&self) -> Uptime {
        let ahead = u64::try_from(self.uptime.load(Ordering::SeqCst)).unwrap();
        Uptime(SystemClock.uptime().0 + Duration::from_millis(ahead))
    }
}
