//! The local policy as the registry client asks it.

use std::net::IpAddr;
use std::sync::Arc;

use portolan_registry::{Gate, Hop, Purpose, Refusal};
use portolan_shared::model::RegistryUrl;

use crate::policy::{HopPurpose, LivePolicy, PolicyRefusal};

/// Asks the policy in force about every step on the way to one registry.
pub(super) struct PolicyGate {
    policy: Arc<LivePolicy>,
    registry: RegistryUrl,
}

impl PolicyGate {
    pub(super) fn new(policy: Arc<LivePolicy>, registry: RegistryUrl) -> Self {
        Self { policy, registry }
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

impl Gate for PolicyGate {
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
