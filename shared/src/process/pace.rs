//! Turns at an even pace.

use std::time::Duration;

use super::Uptime;

/// A token bucket, told by the time at which it will be full again. Who comes first goes first, because a turn is given away when it is asked
/// for.
#[derive(Debug, Default)]
pub struct Pace {
    full_at: Duration,
}

impl Pace {
    /// How long to wait from `now` for the turn that is taken by this. Turns are `interval` apart; one may go as much as `ahead` of its even
    /// spacing.
    pub fn take(&mut self, interval: Duration, ahead: Duration, now: Uptime) -> Duration {
        let begin = self.full_at.max(now.0);
        self.full_at = begin + interval;
        begin.saturating_sub(ahead).saturating_sub(now.0)
    }

    /// Whether a turn that was taken now would not have to be waited for.
    #[must_use]
    pub fn is_due(&self, ahead: Duration, now: Uptime) -> bool {
        self.full_at <= now.0 + ahead
    }

    /// Whether all turns that were given away are over.
    #[must_use]
    pub fn is_over(&self, now: Uptime) -> bool {
        self.full_at <= now.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_millis(100);

    #[test]
    fn turns_are_even_and_those_that_were_not_taken_are_lost() {
        let mut pace = Pace::default();
        let mut take = |at| pace.take(INTERVAL, Duration::ZERO, Uptime(Duration::from_millis(at)));
        assert_eq!(take(1_000), Duration::ZERO);
        assert_eq!(take(1_000), Duration::from_millis(100));
        assert_eq!(take(1_050), Duration::from_millis(150));
        assert_eq!(take(9_000), Duration::ZERO, "nobody took the turns between");
        assert_eq!(take(9_000), Duration::from_millis(100));
        assert!(!pace.is_over(Uptime(Duration::from_millis(9_199))));
        assert!(pace.is_over(Uptime(Duration::from_millis(9_200))));
    }

    #[test]
    fn as_many_go_at_once_as_may_go_ahead() {
        let mut pace = Pace::default();
        let now = Uptime(Duration::from_secs(5));
        let waits: Vec<_> = (0..5)
            .map(|_| {
                let is_due = pace.is_due(2 * INTERVAL, now);
                let wait = pace.take(INTERVAL, 2 * INTERVAL, now);
                assert_eq!(is_due, wait.is_zero(), "what is asked before agrees");
                wait.as_millis()
            })
            .collect();
        assert_eq!(waits, [0, 0, 0, 100, 200]);
    }
}
