//! What a job's registry client asks before it sends anything: the local policy, and the lease.

use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use portolan_registry::{Gate, Hop, Purpose, Refusal};
use portolan_shared::model::RegistryUrl;

use crate::inventory::Lease;
use crate::policy::{HopPurpose, LivePolicy, PolicyRefusal};

/// Asks the policy in force about every step on the way to one registry, and sends nothing while the lease is not held. A probe has none.
pub(super) struct JobGate {
    policy: Arc<LivePolicy>,
    registry: RegistryUrl,
    lease: Option<Lease>,
}

impl JobGate {
    pub(super) fn new(policy: Arc<LivePolicy>, registry: RegistryUrl, lease: Option<Lease>) -> Self {
        Self {
            policy,
            registry,
            lease,
        }
    }
}

fn purpose(purpose: Purpose) -> HopPurpose {
    match purpose {
        Purpose::Registry => HopPurpose::Registry,
        Purpose::Realm => HopPurpose::Realm,
        Purpose::Storage => HopPurpose::Storage,
    }
}

fn refusal(refused: PolicyRefusal) -> Refusal {
    tracing::warn!(rule = %refused.rule, why = %refused.why, "the local policy refused a request");
    Refusal::by(refused.rule)
}

#[async_trait]
impl Gate for JobGate {
    async fn ready(&self) {
        if let Some(lease) = &self.lease {
            lease.held().await;
        }
    }

    fn check_host(&self, hop: &Hop<'_>) -> Result<(), Refusal> {
        let policy = self.policy.current();
        let allowed = policy.allows_hop(
            &self.registry,
            hop.https,
            hop.host,
            hop.port,
            purpose(hop.purpose),
        );
        allowed.map(drop).map_err(refusal)
    }

    fn check_address(&self, hop: &Hop<'_>, address: IpAddr) -> Result<(), Refusal> {
        let policy = self.policy.current();
        let allowed = policy.allows_address(&self.registry, hop.host, address);
        allowed.map(drop).map_err(refusal)
    }

    fn allows_loopback(&self, _: &Hop<'_>) -> bool {
        self.policy.current().allows_loopback(&self.registry)
    }

    fn allows_realm(&self, realm: &Hop<'_>) -> bool {
        self.policy
            .current()
            .names_realm(&self.registry, realm.host, realm.port)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::FutureExt as _;
    use portolan_shared::process::{Clock as _, ManualClock, Uptime};
    use tokio::sync::watch;

    use super::*;

    #[test]
    fn t28_the_gate_is_not_ready_once_the_lease_has_passed() {
        let folder = tempfile::tempdir().unwrap();
        let policy = LivePolicy::load(&folder.path().join("policy.toml")).unwrap();
        let clock = Arc::new(ManualClock::at_unix_seconds(0));
        let in_a_minute = || Uptime(clock.uptime().0 + Duration::from_secs(60));
        let until = watch::Sender::new(in_a_minute());
        let lease = Lease::new(until.subscribe(), Arc::clone(&clock) as _);
        let gate = JobGate::new(Arc::new(policy), "https://h".parse().unwrap(), Some(lease));
        assert!(gate.ready().now_or_never().is_some());
        clock.advance(Duration::from_secs(60));
        let mut ready = gate.ready();
        assert!((&mut ready).now_or_never().is_none());
        until.send_replace(in_a_minute());
        assert!(ready.now_or_never().is_some());
    }
}
