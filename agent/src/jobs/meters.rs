//! What all jobs of this machine do together: requests in flight, requests per second of each registry, bytes of the day.

use std::collections::BTreeMap;
use std::num::NonZeroU16;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use portolan_shared::model::RegistryUrl;
use portolan_shared::process::{Clock, Pace, Uptime};
use tokio::sync::Notify;

use super::day::DayBytes;
use crate::policy::{LivePolicy, Rate};

/// Counts, and makes wait. The policy in force is asked each time, so that one that is read again holds at once.
pub(super) struct Meters {
    policy: Arc<LivePolicy>,
    clock: Arc<dyn Clock>,
    counts: Mutex<Counts>,
    freed: Notify,
    day: DayBytes,
}

#[derive(Default)]
struct Counts {
    in_flight: u32,
    /// By `HOST:PORT`; only those that have any in flight, or whose turns are not over.
    registries: BTreeMap<Arc<str>, Registry>,
}

#[derive(Default)]
struct Registry {
    in_flight: u32,
    pace: Pace,
}

/// Registries whose turns are remembered; beyond it those are forgotten that have nothing in flight and no turn left.
const REMEMBERED: usize = 1_024;

impl Meters {
    pub(super) fn new(policy: Arc<LivePolicy>, clock: Arc<dyn Clock>, day: DayBytes) -> Arc<Self> {
        Arc::new(Self {
            policy,
            clock,
            counts: Mutex::default(),
            freed: Notify::new(),
            day,
        })
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts bytes that were read, and gives how many they are today.
    pub(super) fn read_today(&self, bytes: u64) -> u64 {
        self.day.add(bytes, self.clock.now())
    }

    /// Writes down what has to outlive a restart.
    pub(super) fn save(&self) {
        self.day.save();
    }

    /// Waits for a place among the requests in flight: of the registry, which is `name` as `HOST:PORT`, and of all together.
    pub(super) async fn enter(self: &Arc<Self>, registry: &RegistryUrl, name: &Arc<str>) -> Place {
        loop {
            let freed = self.freed.notified();
            tokio::pin!(freed);
            // Before looking: what is freed in between is not missed.
            freed.as_mut().enable();
            if let Some(place) = self.try_enter(registry, name) {
                return place;
            }
            freed.await;
        }
    }

    fn try_enter(self: &Arc<Self>, registry: &RegistryUrl, name: &Arc<str>) -> Option<Place> {
        let policy = self.policy.current();
        let all = u32::from(policy.limits().concurrency);
        // A registry that is not allowed any more is refused at its host.
        let own = policy
            .registry_limits(registry)
            .map_or(all, |limits| u32::from(limits.concurrency));
        let mut counts = self.counts();
        if counts.in_flight >= all {
            return None;
        }
        let of_registry = counts.registries.entry(Arc::clone(name)).or_default();
        if of_registry.in_flight >= own {
            return None;
        }
        of_registry.in_flight += 1;
        counts.in_flight += 1;
        Some(Place {
            meters: Arc::clone(self),
            registry: Arc::clone(name),
        })
    }

    /// Waits for the registry's next turn, if the policy has a rate for it.
    pub(super) async fn turn(&self, registry: &RegistryUrl, name: &Arc<str>) {
        let limits = self.policy.current().registry_limits(registry);
        let Some(rate) = limits.ok().and_then(|limits| limits.rate) else {
            return;
        };
        let wait = self.take(name, rate, self.clock.uptime());
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
    }

    /// How long to wait from `now` for the turn that is taken by this. Who comes first goes first.
    fn take(&self, registry: &Arc<str>, rate: Rate, now: Uptime) -> Duration {
        let interval = Duration::from_secs(1) / u32::from(rate.per_second.get());
        let ahead = interval * u32::from(rate.burst.get() - NonZeroU16::MIN.get());
        let mut counts = self.counts();
        if counts.registries.len() >= REMEMBERED {
            counts
                .registries
                .retain(|_, registry| registry.in_flight > 0 || !registry.pace.is_over(now));
        }
        let registry = counts.registries.entry(Arc::clone(registry)).or_default();
        registry.pace.take(interval, ahead, now)
    }
}

/// A place among the requests in flight. Given back when dropped.
pub(super) struct Place {
    meters: Arc<Meters>,
    registry: Arc<str>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let now = self.meters.clock.uptime();
        {
            let mut counts = self.meters.counts();
            counts.in_flight = counts.in_flight.saturating_sub(1);
            if let Some(registry) = counts.registries.get_mut(&self.registry) {
                registry.in_flight = registry.in_flight.saturating_sub(1);
                if registry.in_flight == 0 && registry.pace.is_over(now) {
                    counts.registries.remove(&self.registry);
                }
            }
        }
        self.meters.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use portolan_shared::process::ManualClock;
    use tempfile::TempDir;

    use super::*;

    fn meters(limits: &str) -> (Arc<Meters>, TempDir, Arc<ManualClock>) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("policy.toml");
        std::fs::write(&file, format!("version = 1\n{limits}")).unwrap();
        let policy = Arc::new(LivePolicy::load(&file).unwrap());
        let clock = Arc::new(ManualClock::at_unix_seconds(0));
        let meters = Meters::new(policy, Arc::clone(&clock) as _, DayBytes::in_memory());
        (meters, folder, clock)
    }

    async fn enter(meters: &Arc<Meters>, registry: &RegistryUrl) -> Place {
        meters.enter(registry, &registry.authority().into()).await
    }

    fn url(text: &str) -> RegistryUrl {
        text.parse().unwrap()
    }

    #[test]
    fn places_end_at_the_bound_of_a_registry_and_at_that_of_all() {
        let (meters, _folder, _) = meters(
            "[limits]\nconcurrency = 3\n[[allow]]\nhost = \"a\"\nconcurrency = 2\n[[allow]]\nhost = \"b\"\n",
        );
        let (a, b) = (url("https://a"), url("https://b"));
        let first = enter(&meters, &a).now_or_never().unwrap();
        let second = enter(&meters, &a).now_or_never().unwrap();
        assert!(enter(&meters, &a).now_or_never().is_none(), "two of its own");
        let third = enter(&meters, &b).now_or_never().unwrap();
        assert!(enter(&meters, &b).now_or_never().is_none(), "three of all");
        let mut waiting = Box::pin(enter(&meters, &b));
        assert!((&mut waiting).now_or_never().is_none());
        drop(first);
        let fourth = waiting.now_or_never().expect("whoever waits is told");
        drop((second, third, fourth));
        assert!(
            meters.counts().registries.is_empty(),
            "nothing is remembered of it"
        );
    }

    #[test]
    fn a_policy_that_is_read_again_holds_for_the_next_request() {
        let (meters, folder, _) = meters("[[allow]]\nhost = \"a\"\nconcurrency = 1\n");
        let a = url("https://a");
        let _first = enter(&meters, &a).now_or_never().unwrap();
        assert!(enter(&meters, &a).now_or_never().is_none());
        let wider = "version = 1\n[[allow]]\nhost = \"a\"\nconcurrency = 2\n";
        std::fs::write(folder.path().join("policy.toml"), wider).unwrap();
        meters.policy.reload().unwrap();
        assert!(enter(&meters, &a).now_or_never().is_some());
    }

    #[test]
    fn turns_come_in_a_burst_and_then_at_their_rate_for_all_jobs_of_a_registry() {
        let (meters, _folder, clock) = meters("");
        let rate = Rate {
            per_second: NonZeroU16::new(10).unwrap(),
            burst: NonZeroU16::new(3).unwrap(),
        };
        let take = |registry: &str| meters.take(&registry.into(), rate, clock.uptime()).as_millis();
        let turns: Vec<u128> = (0..5).map(|_| take("a:443")).collect();
        assert_eq!(turns, [0, 0, 0, 100, 200]);
        assert_eq!(take("b:443"), 0, "each registry has its own");
        clock.advance(Duration::from_secs(60));
        let turns: Vec<u128> = (0..4).map(|_| take("a:443")).collect();
        assert_eq!(
            turns,
            [0, 0, 0, 100],
            "turns that nobody took are no more than a burst"
        );
    }

    #[test]
    fn without_a_rate_nobody_waits() {
        let (meters, _folder, _) = meters("[[allow]]\nhost = \"a\"\n");
        for _ in 0..10_000 {
            assert!(
                meters
                    .turn(&url("https://a"), &"a:443".into())
                    .now_or_never()
                    .is_some()
            );
        }
        assert!(meters.counts().registries.is_empty());
    }

    #[test]
    fn what_is_remembered_of_registries_is_bounded() {
        let (meters, _folder, clock) = meters("");
        let rate = Rate {
            per_second: NonZeroU16::MIN,
            burst: NonZeroU16::MIN,
        };
        for number in 0..3 * REMEMBERED {
            meters.take(&format!("{number}:443").into(), rate, clock.uptime());
            clock.advance(Duration::from_secs(2));
        }
        assert!(meters.counts().registries.len() <= REMEMBERED);
    }
}
