//! A moment that has to come, whatever somebody does to the clock.

use std::time::Duration;

use jiff::Timestamp;
use portolan_shared::process::{Clock, Uptime};

/// A moment on both clocks: the time of day may be set back, and uptime begins anew with the machine. The earlier one counts.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    wall: Timestamp,
    uptime: Uptime,
}

impl Moment {
    /// So long after `begin`, and never longer than that from now on.
    #[must_use]
    pub fn after(begin: Timestamp, length: Duration, clock: &dyn Clock) -> Self {
        let wall = begin.checked_add(length).unwrap_or(Timestamp::MAX);
        let left = Duration::try_from(wall.duration_since(clock.now())).unwrap_or(Duration::ZERO);
        Self {
            wall,
            uptime: Uptime(clock.uptime().0 + left.min(length)),
        }
    }

    /// Whether it has come.
    #[must_use]
    pub fn has_come(&self, clock: &dyn Clock) -> bool {
        clock.now() >= self.wall || clock.uptime() >= self.uptime
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use portolan_shared::process::ManualClock;

    const DAY: Duration = Duration::from_secs(86_400);

    #[test]
    fn comes_by_whichever_clock_is_first() {
        let clock = ManualClock::at_unix_seconds(1_000_000_000);
        let begin = clock.now();
        let moment = Moment::after(begin, DAY, &clock);
        clock.advance(DAY / 2);
        clock.jump_to(begin);
        assert!(!moment.has_come(&clock));
        clock.advance(DAY / 2);
        assert!(moment.has_come(&clock), "uptime says so");
        let moment = Moment::after(begin, DAY, &clock);
        clock.jump_to(begin + DAY);
        assert!(moment.has_come(&clock), "the time of day says so");
        let ahead = Moment::after(clock.now() + 100 * DAY, DAY, &clock);
        clock.advance(DAY);
        assert!(ahead.has_come(&clock), "a beginning in the future delays nothing");
    }
}
