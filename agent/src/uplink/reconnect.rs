//! When to try again. Pure: what happened and the time go in, a delay comes out.

use std::time::Duration;

use portolan_shared::model::Reason;
use portolan_shared::process::{Rng, Uptime};

/// Decorrelated jitter: each delay is drawn between a floor and three times the one before, up to a ceiling.
#[derive(Debug, Clone)]
pub(super) struct Decorrelated {
    floor: Duration,
    ceiling: Duration,
    previous: Duration,
}

impl Decorrelated {
    /// Begins at the floor.
    #[must_use]
    pub(super) fn new(floor: Duration, ceiling: Duration) -> Self {
        Self {
            floor,
            ceiling,
            previous: floor,
        }
    }

    /// Draws the next delay.
    pub(super) fn next(&mut self, rng: &dyn Rng) -> Duration {
        let high = self.previous.saturating_mul(3).max(self.floor);
        self.previous = rng.between(self.floor, high).min(self.ceiling);
        self.previous
    }

    /// Begins again.
    pub(super) fn reset(&mut self) {
        self.previous = self.floor;
    }
}

/// How an attempt to be connected ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ending {
    /// How long a session had been open; none if it never was.
    pub(super) session: Option<Duration>,
    /// What the control plane itself said; none if the connection failed or was lost.
    pub(super) told: Option<Told>,
}

/// What the control plane said, over an authenticated connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// Why.
    pub reason: Reason,
    /// When to come back, if it said so.
    pub retry_after: Option<Duration>,
}

/// The schedule by which a sensor comes back.
#[derive(Debug)]
pub(super) struct Reconnect {
    spread: Duration,
    delays: Decorrelated,
    /// No delay was drawn since the counters were reset.
    fresh: bool,
    refusals: u32,
    violations: Vec<Uptime>,
}

/// A session that lasted this long sets the counters back.
pub(super) const HEALTHY_AFTER: Duration = Duration::from_secs(60);
const LONGEST_ASKED: Duration = Duration::from_secs(3_600);
const MANY_REFUSALS: u32 = 10;
const SLOW: Duration = Duration::from_secs(15 * 60);
/// Somebody who was asked for an approval is waited for.
const APPROVAL: Duration = Duration::from_secs(5 * 60);
const HOUR: Duration = Duration::from_secs(3_600);

impl Default for Reconnect {
    fn default() -> Self {
        Self {
            spread: Duration::from_secs(5),
            delays: Decorrelated::new(Duration::from_secs(2), Duration::from_secs(60)),
            fresh: true,
            refusals: 0,
            violations: Vec::new(),
        }
    }
}

impl Reconnect {
    /// Over how much time the control plane wants its sensors to come back; between one second and two minutes.
    pub(super) fn set_spread(&mut self, spread: Duration) {
        self.spread = spread.clamp(Duration::from_secs(1), Duration::from_secs(120));
    }

    /// How long to wait after this ending.
    pub(super) fn after(&mut self, ending: Ending, now: Uptime, rng: &dyn Rng) -> Duration {
        if ending.session.is_some_and(|lasted| lasted >= HEALTHY_AFTER) {
            self.fresh = true;
            self.delays.reset();
        }
        match ending {
            Ending { session: Some(_), .. } | Ending { told: None, .. } => self.refusals = 0,
            Ending { told: Some(_), .. } => self.refusals = self.refusals.saturating_add(1),
        }
        let scheduled = self.scheduled(rng);
        let Some(told) = ending.told else {
            return scheduled;
        };
        if let Some(asked) = told.retry_after {
            let asked = asked.min(LONGEST_ASKED);
            // Whoever had a session is one of many who were told the same.
            return if ending.session.is_some() {
                vary(asked, 0.1, rng)
            } else {
                asked
            };
        }
        match told.reason {
            Reason::VersionUnsupported => vary(HOUR, 0.2, rng),
            Reason::SensorSuspended | Reason::SensorQuarantined | Reason::IdentityConflict => {
                vary(SLOW, 0.2, rng)
            }
            Reason::NeedsApproval => vary(APPROVAL, 0.2, rng),
            Reason::ProtocolViolation | Reason::MessageTooLarge => self.after_violation(now, rng),
            _ if self.refusals >= MANY_REFUSALS => vary(SLOW, 0.5, rng),
            _ => scheduled,
        }
    }

    fn scheduled(&mut self, rng: &dyn Rng) -> Duration {
        if self.fresh {
            self.fresh = false;
            return rng.between(Duration::ZERO, self.spread);
        }
        self.delays.next(rng)
    }

    fn after_violation(&mut self, now: Uptime, rng: &dyn Rng) -> Duration {
        self.violations.retain(|at| now.since(*at) < HOUR);
        self.violations.push(now);
        if self.violations.len() < 3 {
            return Duration::from_secs(60);
        }
        self.violations.remove(0);
        vary(SLOW, 0.2, rng)
    }
}

fn vary(around: Duration, share: f64, rng: &dyn Rng) -> Duration {
    rng.between(around.mul_f64(1.0 - share), around.mul_f64(1.0 + share))
}

#[cfg(test)]
mod tests {
    use super::*;
    use portolan_shared::process::SeededRng;
    use proptest::prelude::*;

    const LOST: Ending = Ending {
        session: None,
        told: None,
    };

    fn at(seconds: u64) -> Uptime {
        Uptime(Duration::from_secs(seconds))
    }

    fn told(reason: Reason, retry_after: Option<u64>) -> Ending {
        let retry_after = retry_after.map(Duration::from_secs);
        Ending {
            session: None,
            told: Some(Told { reason, retry_after }),
        }
    }

    #[test]
    fn ten_refusals_slow_down_and_a_lost_connection_is_not_a_refusal() {
        let rng = SeededRng::new(1);
        let mut reconnect = Reconnect::default();
        for _ in 0..9 {
            let delay = reconnect.after(told(Reason::IdentityUnknown, None), at(0), &rng);
            assert!(delay <= Duration::from_secs(60));
        }
        let slow = reconnect.after(told(Reason::IdentityUnknown, None), at(0), &rng);
        assert!(slow >= SLOW / 2 && slow <= SLOW * 3 / 2, "{slow:?}");
        assert!(reconnect.after(LOST, at(0), &rng) <= Duration::from_secs(60));
    }

    #[test]
    fn the_third_violation_within_an_hour_waits_longer() {
        let rng = SeededRng::new(2);
        let mut reconnect = Reconnect::default();
        let violation = told(Reason::ProtocolViolation, None);
        assert_eq!(reconnect.after(violation, at(0), &rng), Duration::from_secs(60));
        assert_eq!(
            reconnect.after(violation, at(4_000), &rng),
            Duration::from_secs(60)
        );
        assert_eq!(
            reconnect.after(violation, at(4_100), &rng),
            Duration::from_secs(60)
        );
        assert!(reconnect.after(violation, at(4_200), &rng) >= SLOW * 4 / 5);
    }

    #[test]
    fn whoever_is_shut_out_asks_every_quarter_of_an_hour_and_for_an_approval_every_five_minutes() {
        let rng = SeededRng::new(3);
        let mut reconnect = Reconnect::default();
        for (reason, minutes) in [
            (Reason::SensorSuspended, 15),
            (Reason::SensorQuarantined, 15),
            (Reason::IdentityConflict, 15),
            (Reason::NeedsApproval, 5),
        ] {
            let around = Duration::from_secs(minutes * 60);
            let drawn: Vec<Duration> = (0..50)
                .map(|_| reconnect.after(told(reason, None), at(0), &rng))
                .collect();
            assert!(
                drawn
                    .iter()
                    .all(|delay| (around * 4 / 5..=around * 6 / 5).contains(delay))
            );
            assert!(drawn.iter().any(|delay| delay != &drawn[0]), "not all at once");
        }
        assert!(
            reconnect.after(LOST, at(0), &rng) <= Duration::from_secs(60),
            "whoever was not reached has said nothing"
        );
    }

    fn endings() -> impl Strategy<Value = Ending> {
        let told = (0..Reason::ALL.len(), prop::option::of(0..9_000_u64)).prop_map(|(i, wait)| Told {
            reason: Reason::ALL[i],
            retry_after: wait.map(Duration::from_secs),
        });
        (prop::option::of(0..200_u64), prop::option::of(told)).prop_map(|(session, told)| Ending {
            session: session.map(Duration::from_secs),
            told,
        })
    }

    proptest! {
        #[test]
        fn delays_are_bounded_and_what_is_asked_for_wins(seed: u64, events in prop::collection::vec(endings(), 1..60)) {
            let rng = SeededRng::new(seed);
            let mut reconnect = Reconnect::default();
            for (i, ending) in events.into_iter().enumerate() {
                let delay = reconnect.after(ending, at(i as u64), &rng);
                prop_assert!(delay <= LONGEST_ASKED.mul_f64(1.2));
                if let Some(asked) = ending.told.and_then(|told| told.retry_after) {
                    prop_assert!(delay >= asked.min(LONGEST_ASKED).mul_f64(0.9));
                }
            }
        }

        #[test]
        fn t52_flapping_never_sets_the_counters_back(seed: u64, lasted in prop::collection::vec(0..60_u64, 2..40)) {
            let rng = SeededRng::new(seed);
            let mut reconnect = Reconnect::default();
            for (i, seconds) in lasted.into_iter().enumerate() {
                let flap = Ending { session: Some(Duration::from_secs(seconds)), told: None };
                let delay = reconnect.after(flap, at(0), &rng);
                if i > 0 {
                    prop_assert!(delay >= Duration::from_secs(2), "only the first delay is drawn from zero");
                }
                prop_assert!(delay <= Duration::from_secs(60));
            }
        }

        #[test]
        fn the_first_delay_after_a_healthy_session_is_within_the_spread(seed: u64, spread in 0..500_u64) {
            let rng = SeededRng::new(seed);
            let mut reconnect = Reconnect::default();
            reconnect.set_spread(Duration::from_secs(spread));
            for _ in 0..5 {
                reconnect.after(LOST, at(0), &rng);
            }
            let healthy = Ending { session: Some(HEALTHY_AFTER), told: None };
            prop_assert!(reconnect.after(healthy, at(0), &rng) <= Duration::from_secs(spread.clamp(1, 120)));
        }
    }
}
