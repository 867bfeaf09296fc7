//! Leases as the sensor sees them, and the heartbeats that renew them. Pure.
//!
//! A lease counts from the *sending* of the heartbeat that renewed it, on a clock that runs while the machine sleeps: so the sensor lets go
//! before the control plane gives the attempt away, whatever the network or a suspended host did in between.

use std::collections::VecDeque;
use std::time::Duration;

use portolan_shared::model::{AttemptRef, limits};
use portolan_shared::process::Uptime;

/// How sure a lease is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Ours.
    Held,
    /// May be lost: no new registry request is started.
    Doubtful,
    /// Lost: the attempt is over here.
    Lost,
}

/// From when on a lease is in doubt: ten seconds before it ends.
const DOUBTFUL_AFTER: Duration = Duration::from_secs(limits::LEASE_SECONDS - 10);
const LOST_AFTER: Duration = Duration::from_secs(limits::LEASE_SECONDS);

impl Standing {
    /// Of a lease that was last renewed then.
    #[must_use]
    pub(super) fn of(renewed: Uptime, now: Uptime) -> Self {
        if now.since(renewed) >= LOST_AFTER {
            Self::Lost
        } else if now >= doubtful_from(renewed) {
            Self::Doubtful
        } else {
            Self::Held
        }
    }
}

/// When a lease that was last renewed then begins to be in doubt.
pub(super) fn doubtful_from(renewed: Uptime) -> Uptime {
    Uptime(renewed.0 + DOUBTFUL_AFTER)
}

/// Heartbeats that were sent and not answered yet; at most [`Heartbeats::OUTSTANDING`], the oldest is forgotten then.
#[derive(Debug, Default)]
pub(super) struct Heartbeats {
    counter: u64,
    sent: VecDeque<Sent>,
}

#[derive(Debug)]
struct Sent {
    counter: u64,
    at: Uptime,
    listed: Vec<AttemptRef>,
}

/// What an answer to a heartbeat says of the leases.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Renewal {
    /// When the heartbeat was sent: these leases count from then.
    pub(super) renewed: Vec<(AttemptRef, Uptime)>,
    /// Listed in the heartbeat, and no longer leased.
    pub(super) ended: Vec<AttemptRef>,
}

impl Heartbeats {
    /// More than fit into the time after which a silent session is closed.
    pub(super) const OUTSTANDING: usize = 16;

    /// Counts one more heartbeat, which lists these attempts.
    pub(super) fn send(&mut self, listed: Vec<AttemptRef>, now: Uptime) -> u64 {
        if self.sent.len() == Self::OUTSTANDING {
            self.sent.pop_front();
        }
        self.counter += 1;
        self.sent.push_back(Sent {
            counter: self.counter,
            at: now,
            listed,
        });
        self.counter
    }

    /// An answer came. One to a heartbeat that was never sent, or was answered before, says nothing.
    pub(super) fn answered(&mut self, counter: u64, renewed: &[AttemptRef]) -> Renewal {
        let Some(at) = self.sent.iter().position(|sent| sent.counter == counter) else {
            return Renewal::default();
        };
        // Answers come in order: those before it were lost.
        self.sent.drain(..at);
        let Some(sent) = self.sent.pop_front() else {
            return Renewal::default();
        };
        let (renewed, ended): (Vec<_>, Vec<_>) = sent
            .listed
            .into_iter()
            .partition(|attempt| renewed.contains(attempt));
        Renewal {
            renewed: renewed.into_iter().map(|attempt| (attempt, sent.at)).collect(),
            ended,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use portolan_shared::model::RunId;
    use portolan_shared::process::SeededRng;
    use proptest::prelude::*;

    fn at(seconds: u64) -> Uptime {
        Uptime(Duration::from_secs(seconds))
    }

    fn attempt(n: u32) -> AttemptRef {
        let run = RunId::random(&SeededRng::new(n.into()));
        AttemptRef { run, attempt: 1 }
    }

    #[test]
    fn t28_a_lease_is_doubtful_after_50_seconds_and_lost_after_60() {
        let standing = |seconds: u64| Standing::of(at(100), at(100 + seconds));
        assert_eq!(standing(49), Standing::Held);
        assert_eq!(standing(50), Standing::Doubtful);
        assert_eq!(standing(59), Standing::Doubtful);
        assert_eq!(standing(60), Standing::Lost);
        assert_eq!(
            standing(70),
            Standing::Lost,
            "as after a suspension of 70 seconds"
        );
    }

    #[test]
    fn a_lease_counts_from_the_sending_of_the_heartbeat() {
        let mut heartbeats = Heartbeats::default();
        heartbeats.send(vec![attempt(1)], at(10));
        let second = heartbeats.send(vec![attempt(1), attempt(2)], at(25));
        let renewal = heartbeats.answered(second, &[attempt(1), attempt(9)]);
        assert_eq!(renewal.renewed, [(attempt(1), at(25))]);
        assert_eq!(renewal.ended, [attempt(2)]);
        assert_eq!(heartbeats.answered(1, &[attempt(1)]), Renewal::default(), "late");
        assert_eq!(
            heartbeats.answered(second, &[attempt(1)]),
            Renewal::default(),
            "repeated"
        );
        assert_eq!(
            heartbeats.answered(77, &[attempt(1)]),
            Renewal::default(),
            "invented"
        );
    }

    proptest! {
        /// The control plane renews when it receives, never before the sending: so as long as the sensor thinks it holds the lease, it does.
        #[test]
        fn the_sensor_lets_go_before_the_control_plane_gives_away(
            events in prop::collection::vec((0..20_000_u64, any::<bool>(), 0..8_000_u64), 1..40),
        ) {
            let mut heartbeats = Heartbeats::default();
            let (mut now, mut mine, mut theirs) = (0_u64, millis(0), 0_u64);
            for (gap, delivered, delay) in events {
                now += gap;
                let counter = heartbeats.send(vec![attempt(1)], millis(now));
                if delivered && now + delay < theirs + 60_000 {
                    theirs = now + delay;
                    now += 2 * delay;
                    for (_, at) in heartbeats.answered(counter, &[attempt(1)]).renewed {
                        mine = at;
                    }
                }
                if Standing::of(mine, millis(now)) != Standing::Lost {
                    prop_assert!(now < theirs + 60_000);
                }
            }
        }
    }

    fn millis(millis: u64) -> Uptime {
        Uptime(Duration::from_millis(millis))
    }
}
