//! How long one job may read.

use std::time::Duration;

use jiff::Timestamp;
use portolan_shared::model::Finding;
use portolan_shared::process::{Clock, Uptime};

/// The clocks are looked at as often as this: a timer stands still while the machine sleeps, and hours may have passed when it wakes.
const LOOK: Duration = Duration::from_secs(10);

/// The end of a job: after so much time on this machine's clock, sleep included, or at a moment of the day.
#[derive(Debug, Clone)]
pub(super) struct Bound {
    pub(super) ends: Uptime,
    /// What is said of what was not read by then.
    pub(super) out_of_time: Finding,
    /// When the window closes, and what is said then.
    pub(super) closes: Option<(Timestamp, Finding)>,
}

impl Bound {
    /// How much time is left, and what is said at its end.
    pub(super) fn left(&self, clock: &dyn Clock) -> (Duration, &Finding) {
        let of_job = (self.ends.since(clock.uptime()), &self.out_of_time);
        let of_window = self.closes.as_ref().map(|(closes, why)| {
            let left = closes.duration_since(clock.now());
            // Negative once it has closed.
            (Duration::try_from(left).unwrap_or_default(), why)
        });
        match of_window {
            Some(window) if window.0 < of_job.0 => window,
            _ => of_job,
        }
    }

    /// Returns at the end, with what is to be said.
    pub(super) async fn over(&self, clock: &dyn Clock) -> Finding {
        loop {
            let (left, why) = self.left(clock);
            if left.is_zero() {
                return why.clone();
            }
            tokio::time::sleep(left.min(LOOK)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use portolan_shared::model::FindingCode;
    use portolan_shared::process::ManualClock;

    use super::*;

    fn finding(seen: &str) -> Finding {
        Finding::new(FindingCode::PolicyRefused, seen)
    }

    #[tokio::test(start_paused = true)]
    async fn a_machine_that_slept_beyond_the_end_notices_when_it_wakes() {
        let clock = ManualClock::at_unix_seconds(0);
        let hours = |hours: u64| Duration::from_secs(hours * 3_600);
        let bound = Bound {
            ends: Uptime(clock.uptime().0 + hours(24)),
            out_of_time: finding("time"),
            closes: Some((Timestamp::from_second(7_200).unwrap(), finding("window"))),
        };
        assert_eq!(bound.left(&clock), (hours(2), &finding("window")));
        let mut over = Box::pin(bound.over(&clock));
        assert!((&mut over).now_or_never().is_none());
        // Timers stand still while it sleeps; these clocks do not.
        clock.advance(hours(3));
        let woke = tokio::time::Instant::now();
        assert_eq!(over.await, finding("window"));
        assert!(woke.elapsed() <= LOOK, "{:?}", woke.elapsed());
    }
}
