//! What a job's registry client asks before it sends anything: the local policy, its limits, and the lease.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use portolan_registry::{Gate, Hop, Pass, Refusal};

use super::meters::Meters;
use super::passage::Passage;
use crate::inventory::Lease;
use crate::policy::{LivePolicy, PolicyRefusal, Told};

/// Asks the policy in force about every step on the way to one registry, and sends nothing while the lease is not held, nor beyond what the
/// policy's limits allow. A probe has no lease.
pub(super) struct JobGate {
    policy: Arc<LivePolicy>,
    passage: Passage,
    lease: Option<Lease>,
    meters: Arc<Meters>,
    /// Bytes that this job has read.
    bytes: AtomicU64,
    told: Told,
}

impl JobGate {
    pub(super) fn new(
        policy: Arc<LivePolicy>,
        passage: Passage,
        lease: Option<Lease>,
        meters: Arc<Meters>,
    ) -> Self {
        Self {
            policy,
            passage,
            lease,
            meters,
            bytes: AtomicU64::new(0),
            told: Told::default(),
        }
    }

    async fn held(&self) {
        if let Some(lease) = &self.lease {
            lease.held().await;
        }
    }

    /// A refusal, told once for each host and rule.
    fn refusal(&self, host: &str, refused: PolicyRefusal) -> Refusal {
        let PolicyRefusal { rule, why } = refused;
        if self.told.first(host, &rule) {
            tracing::warn!(%rule, %why, "the local policy refused a request");
        } else {
            tracing::debug!(%rule, %why, "the local policy refused a request again");
        }
        Refusal::by(rule)
    }
}

#[async_trait]
impl Gate for JobGate {
    async fn ready(&self) {
        self.held().await;
        let passage = &self.passage;
        self.meters.turn(passage.registry(), passage.authority()).await;
        self.held().await;
    }

    async fn place(&self) -> Pass {
        let passage = &self.passage;
        loop {
            let place = self.meters.enter(passage.registry(), passage.authority()).await;
            // Nobody keeps a place from others while it may not be used.
            match &self.lease {
                Some(lease) if !lease.is_held() => drop(place),
                _ => return Pass::of(place),
            }
            self.held().await;
        }
    }

    fn contacted(&self, _: &Hop<'_>) {}

    fn received(&self, hop: &Hop<'_>, bytes: usize) -> Result<(), Refusal> {
        let bytes = bytes as u64;
        let job = self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let today = self.meters.read_today(bytes);
        let policy = self.policy.current();
        let allowed = policy.allows_bytes(self.passage.registry(), job, today);
        allowed.map_err(|refused| self.refusal(hop.host, refused))
    }

    fn check_host(&self, hop: &Hop<'_>) -> Result<(), Refusal> {
        let policy = self.policy.current();
        // What has been read to the bound is read no further.
        let (job, today) = (self.bytes.load(Ordering::Relaxed), self.meters.read_today(0));
        let (job, today) = (job.saturating_add(1), today.saturating_add(1));
        self.passage
            .check_host(&policy, hop)
            .and_then(|()| policy.allows_bytes(self.passage.registry(), job, today))
            .map_err(|refused| self.refusal(hop.host, refused))
    }

    fn check_address(&self, hop: &Hop<'_>, address: IpAddr) -> Result<(), Refusal> {
        let policy = self.policy.current();
        let allowed = self.passage.check_address(&policy, hop, address);
        allowed
            .map(drop)
            .map_err(|refused| self.refusal(hop.host, refused))
    }

    fn allows_loopback(&self, hop: &Hop<'_>) -> bool {
        self.passage.allows_loopback(&self.policy.current(), hop)
    }

    fn allows_realm(&self, realm: &Hop<'_>) -> bool {
        self.passage.allows_realm(&self.policy.current(), realm)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::FutureExt as _;
    use portolan_registry::Purpose;
    use portolan_shared::process::{Clock as _, ManualClock, ProxyRules, Uptime};
    use tokio::sync::watch;

    use super::super::day::DayBytes;
    use super::*;

    fn gate(text: &str, lease: Option<Lease>, clock: &Arc<ManualClock>) -> JobGate {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("policy.toml");
        std::fs::write(&file, format!("version = 1\n{text}")).unwrap();
        let policy = Arc::new(LivePolicy::load(&file).unwrap());
        let meters = Meters::new(Arc::clone(&policy), Arc::clone(clock) as _, DayBytes::in_memory());
        let passage = Passage::new("https://h".parse().unwrap(), ProxyRules::default());
        JobGate::new(policy, passage, lease, meters)
    }

    const HOP: Hop<'static> = Hop {
        https: true,
        host: "h",
        port: 443,
        purpose: Purpose::Registry,
    };

    fn ask(gate: &JobGate) -> Result<(), String> {
        gate.check_host(&HOP).map_err(|refusal| refusal.rule.into_owned())
    }

    #[test]
    fn the_bytes_of_a_job_and_of_a_day_end_at_their_bounds() {
        let clock = Arc::new(ManualClock::at_unix_seconds(0));
        let of_job = gate("[[allow]]\nhost = \"h\"\nbytes_per_job = 100\n", None, &clock);
        of_job.received(&HOP, 99).unwrap();
        ask(&of_job).unwrap();
        of_job.received(&HOP, 1).unwrap();
        assert_eq!(ask(&of_job), Err("policy:allow[1].bytes_per_job".to_owned()));
        assert!(of_job.received(&HOP, 1).is_err(), "not even within an answer");

        let of_day = gate(
            "[limits]\nbytes_per_day = 100\n[[allow]]\nhost = \"h\"\n",
            None,
            &clock,
        );
        of_day.received(&HOP, 100).unwrap();
        assert_eq!(ask(&of_day), Err("policy:limits.bytes_per_day".to_owned()));
        let refused = of_day.received(&HOP, 1).unwrap_err();
        assert_eq!(refused.rule, "policy:limits.bytes_per_day");
        clock.advance(Duration::from_secs(24 * 3_600));
        ask(&of_day).unwrap();

        let of_all = gate(
            "[limits]\nbytes_per_job = 10\n[[allow]]\nhost = \"h\"\nbytes_per_job = 100\n",
            None,
            &clock,
        );
        of_all.received(&HOP, 10).unwrap();
        assert_eq!(ask(&of_all), Err("policy:limits.bytes_per_job".to_owned()));
    }

    #[test]
    fn t28_a_place_is_not_kept_while_the_lease_has_passed() {
        let clock = Arc::new(ManualClock::at_unix_seconds(0));
        let until = watch::Sender::new(Uptime(Duration::ZERO));
        let lease = Lease::new(until.subscribe(), Arc::clone(&clock) as _);
        let gate = gate("[[allow]]\nhost = \"h\"\nconcurrency = 1\n", Some(lease), &clock);
        let mut waiting = gate.place();
        assert!((&mut waiting).now_or_never().is_none());
        let other = gate
            .meters
            .enter(gate.passage.registry(), gate.passage.authority())
            .now_or_never();
        assert!(other.is_some(), "somebody else may have it meanwhile");
        drop(other);
        until.send_replace(Uptime(Duration::MAX));
        assert!(waiting.now_or_never().is_some());
    }

    #[test]
    fn t28_the_gate_is_not_ready_once_the_lease_has_passed() {
        let clock = Arc::new(ManualClock::at_unix_seconds(0));
        let in_a_minute = || Uptime(clock.uptime().0 + Duration::from_secs(60));
        let until = watch::Sender::new(in_a_minute());
        let lease = Lease::new(until.subscribe(), Arc::clone(&clock) as _);
        let gate = gate("", Some(lease), &clock);
        assert!(gate.ready().now_or_never().is_some());
        clock.advance(Duration::from_secs(60));
        let mut ready = gate.ready();
        assert!((&mut ready).now_or_never().is_none());
        until.send_replace(in_a_minute());
        assert!(ready.now_or_never().is_some());
    }

    #[test]
    fn another_place_of_the_registry_is_judged_by_an_entry_of_its_own() {
        let clock = Arc::new(ManualClock::at_unix_seconds(0));
        let gate = gate("[[allow]]\nhost = \"h\"\nports = [443, 5050]\n", None, &clock);
        let at = |port| gate.check_host(&Hop { port, ..HOP }).is_ok();
        assert!(at(443) && at(5050) && !at(4567));
    }
}
