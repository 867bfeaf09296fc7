//! Whether the other side is alive, and when to show that we are. Pure.

use std::time::Duration;

use portolan_shared::model::limits;
use portolan_shared::process::{Rng, Uptime};

/// The clockwork of one session. Measured in uptime, so that a machine that slept notices.
#[derive(Debug)]
pub(super) struct Liveness {
    interval: Duration,
    heard: Uptime,
    next_heartbeat: Uptime,
}

impl Liveness {
    /// A session that was welcomed at `now`. The interval is kept between 5 and 30 seconds.
    #[must_use]
    pub(super) fn new(interval: Duration, now: Uptime, rng: &dyn Rng) -> Self {
        let mut liveness = Self {
            interval: interval.clamp(Duration::from_secs(5), Duration::from_secs(30)),
            heard: now,
            next_heartbeat: now,
        };
        liveness.sent_heartbeat(now, rng);
        liveness
    }

    /// A message came in.
    pub(super) fn heard(&mut self, now: Uptime) {
        self.heard = now;
    }

    /// A heartbeat went out; the next is due after the interval, varied by a fifth.
    pub(super) fn sent_heartbeat(&mut self, now: Uptime, rng: &dyn Rng) {
        let wait = rng.between(self.interval.mul_f64(0.8), self.interval.mul_f64(1.2));
        self.next_heartbeat = Uptime(now.0 + wait);
    }

    /// Whether a heartbeat is due.
    #[must_use]
    pub(super) fn heartbeat_due(&self, now: Uptime) -> bool {
        now >= self.next_heartbeat
    }

    /// How long until the next heartbeat is due.
    #[must_use]
    pub(super) fn until_heartbeat(&self, now: Uptime) -> Duration {
        self.next_heartbeat.since(now)
    }

    /// Whether nothing was heard for so long that the session is dead.
    #[must_use]
    pub(super) fn is_dead(&self, now: Uptime) -> bool {
        now.since(self.heard) >= Duration::from_secs(limits::DEAD_AFTER_SECONDS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use portolan_shared::process::SeededRng;
    use proptest::prelude::*;

    fn at(millis: u64) -> Uptime {
        Uptime(Duration::from_millis(millis))
    }

    proptest! {
        #[test]
        fn t22_silence_is_noticed_after_45_seconds_whatever_is_sent(seed: u64, heard in prop::collection::vec(0..60_000_u64, 0..20)) {
            let rng = SeededRng::new(seed);
            let mut liveness = Liveness::new(Duration::from_secs(15), at(0), &rng);
            let mut last = 0;
            let mut now = 0;
            for gap in heard {
                now += gap;
                liveness.sent_heartbeat(at(now), &rng);
                prop_assert_eq!(liveness.is_dead(at(now)), now - last >= 45_000);
                liveness.heard(at(now));
                last = now;
            }
        }

        #[test]
        fn heartbeats_are_due_12_to_18_seconds_after_the_last(seed: u64, now in 0..1_000_000_u64) {
            let rng = SeededRng::new(seed);
            let mut liveness = Liveness::new(Duration::from_secs(15), at(0), &rng);
            liveness.sent_heartbeat(at(now), &rng);
            prop_assert!(!liveness.heartbeat_due(at(now + 11_999)));
            prop_assert!(liveness.heartbeat_due(at(now + 18_000)));
        }
    }
}
