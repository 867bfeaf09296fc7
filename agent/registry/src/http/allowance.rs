//! What the registry's budget allows: so many requests a second, so many until it is spent.

use std::num::NonZeroU16;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use portolan_shared::process::{Clock, Pace, Uptime};

use crate::error::Fault;

/// Counts every request begun: repeated ones, redirects and token requests are no exception. Shared by all clients that work on one registry's
/// account.
pub(crate) struct Allowance {
    left: Option<AtomicU64>,
    begun: AtomicU64,
    rate: Option<Rate>,
    clock: Arc<dyn Clock>,
}

/// Requests are spread evenly, and at most a tenth of a second's worth of them goes at once.
struct Rate {
    interval: Duration,
    /// How far ahead of its even spacing a request may go.
    ahead: Duration,
    pace: Mutex<Pace>,
}

impl Rate {
    fn new(per_second: NonZeroU16) -> Self {
        let interval = Duration::from_secs(1) / u32::from(per_second.get());
        Self {
            interval,
            ahead: Duration::from_millis(100).saturating_sub(interval),
            pace: Mutex::default(),
        }
    }

    /// How long to wait from `now` for the turn that is taken by this.
    fn take(&self, now: Uptime) -> Duration {
        let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        pace.take(self.interval, self.ahead, now)
    }
}

impl Allowance {
    /// Without a bound where none is given.
    pub(crate) fn new(per_second: Option<NonZeroU16>, left: Option<u64>, clock: Arc<dyn Clock>) -> Self {
        Self {
            left: left.map(AtomicU64::new),
            begun: AtomicU64::new(0),
            rate: per_second.map(Rate::new),
            clock,
        }
    }

    /// Waits until the next request may begin. Fails at once when none is left.
    pub(crate) async fn turn(&self) -> Result<(), Fault> {
        if let Some(left) = &self.left {
            left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1))
                .map_err(|_| Fault::BudgetSpent)?;
        }
        if let Some(rate) = &self.rate {
            let wait = rate.take(self.clock.uptime());
            if !wait.is_zero() {
                tokio::time::sleep(wait).await;
            }
        }
        self.begun.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Requests begun so far.
    pub(crate) fn begun(&self) -> u64 {
        self.begun.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use portolan_shared::process::ManualClock;
    use proptest::prelude::*;

    /// When each of `count` requests begins that all come at once.
    fn turns(per_second: u16, count: usize) -> Vec<Duration> {
        let rate = Rate::new(NonZeroU16::new(per_second).unwrap());
        let now = Uptime(Duration::from_secs(1_000));
        (0..count).map(|_| rate.take(now)).collect()
    }

    #[test]
    fn turns_are_spread_over_the_second() {
        let ms = |turns: Vec<Duration>| turns.iter().map(Duration::as_millis).collect::<Vec<_>>();
        assert_eq!(ms(turns(2, 4)), [0, 500, 1_000, 1_500]);
        assert_eq!(
            ms(turns(50, 9)),
            [0, 0, 0, 0, 0, 20, 40, 60, 80],
            "a tenth of a second's worth at once"
        );
    }

    #[test]
    fn turns_that_nobody_took_are_not_saved_up() {
        let rate = Rate::new(NonZeroU16::new(10).unwrap());
        let at = |seconds| Uptime(Duration::from_secs(seconds));
        assert_eq!(rate.take(at(1)), Duration::ZERO);
        assert_eq!(rate.take(at(3_600)), Duration::ZERO);
        assert_eq!(rate.take(at(3_600)), Duration::from_millis(100));
    }

    proptest! {
        #[test]
        fn no_second_sees_more_than_its_worth_and_a_tenth(per_second in 1_u16..=2_000, count in 1_usize..300) {
            let turns = turns(per_second, count);
            for from in &turns {
                let within = turns.iter().filter(|turn| (*from..*from + Duration::from_secs(1)).contains(*turn));
                let most = usize::from(per_second) + usize::from(per_second) / 10 + 1;
                prop_assert!(within.count() <= most);
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_left_is_all_there_is() {
        let clock = Arc::new(ManualClock::at_unix_seconds(0));
        let allowance = Allowance::new(NonZeroU16::new(1), Some(3), clock);
        for _ in 0..3 {
            allowance.turn().await.unwrap();
        }
        let begun = tokio::time::Instant::now();
        assert!(matches!(allowance.turn().await, Err(Fault::BudgetSpent)));
        assert!(begun.elapsed().is_zero(), "nobody waits for nothing");
        assert_eq!(allowance.begun(), 3, "what is refused is not begun");
    }
}
