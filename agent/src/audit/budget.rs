//! Bytes that may be written over time.

use std::time::Duration;

use portolan_shared::process::{Pace, Uptime};

/// Half of a file comes back in this time.
const HALF_A_FILE: Duration = Duration::from_secs(86_400);
/// Bytes of sums that may be written at once, and again each minute.
pub(super) const SUMS_BYTES: u64 = 24 * 1024;

/// So many bytes at once, which come back at an even pace. What is asked for is given as a whole while anything is left.
#[derive(Debug)]
pub(super) struct Budget {
    spent: Pace,
    bytes: u64,
    /// In this time all of it comes back.
    back_in: Duration,
}

impl Budget {
    fn new(bytes: u64, back_in: Duration) -> Self {
        Self {
            spent: Pace::default(),
            bytes: bytes.max(1),
            back_in,
        }
    }

    /// For what the control plane causes: one file of this size at once, and half of one a day.
    pub(super) fn of_records(file_bytes: u64) -> Self {
        Self::new(file_bytes, 2 * HALF_A_FILE)
    }

    /// For sums of what was not written one by one.
    pub(super) fn of_sums() -> Self {
        Self::new(SUMS_BYTES, Duration::from_secs(60))
    }

    /// Whether anything is left.
    pub(super) fn is_open(&self, now: Uptime) -> bool {
        self.spent.is_over(Uptime(now.0.saturating_add(self.back_in)))
    }

    /// Takes so many bytes, whether or not they are left.
    pub(super) fn charge(&mut self, bytes: u64, now: Uptime) {
        let nanos = self.back_in.as_nanos() * u128::from(bytes) / u128::from(self.bytes);
        let takes = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        self.spent.take(takes, self.back_in, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_at_once_and_half_of_one_a_day() {
        let mut budget = Budget::of_records(1_000_000);
        let mut spend = |at: u64| {
            let now = Uptime(Duration::from_secs(at));
            let mut bytes = 0;
            while budget.is_open(now) {
                budget.charge(1_000, now);
                bytes += 1_000;
            }
            bytes
        };
        let record = 1_000;
        assert_eq!(spend(1_000), 1_000_000 + record, "the last one as a whole");
        assert_eq!(spend(1_000), 0);
        let day: u64 = (1..=24).map(|hour| spend(1_000 + hour * 3_600)).sum();
        assert!((500_000 - record..=500_000).contains(&day), "{day}");
        assert_eq!(spend(10_000_000), 1_000_000 + record, "never more than that");
    }
}
