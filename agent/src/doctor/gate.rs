//! The local policy as the registry client asks it.

use std::net::IpAddr;

use async_trait::async_trait;
use portolan_registry::{Gate, Hop, Pass, Refusal};

use crate::jobs::Passage;
use crate::policy::{Policy, PolicyRefusal};

/// Asks a policy about every step on the way to one registry. Somebody on this machine waits for the answer: nothing is counted, and what the
/// policy bounds for jobs (windows, bytes, requests per second and at once) is not kept.
pub(crate) struct PolicyGate {
    pub(crate) policy: Policy,
    pub(crate) passage: Passage,
}

fn refusal(refused: PolicyRefusal) -> Refusal {
    tracing::debug!(rule = %refused.rule, why = %refused.why, "the local policy refused a request");
    Refusal::by(refused.rule)
}

#[async_trait]
impl Gate for PolicyGate {
    async fn ready(&self) {}

    async fn place(&self) -> Pass {
        Pass::default()
    }

    fn contacted(&self, _: &Hop<'_>) {}

    fn received(&self, _: &Hop<'_>, _: usize) -> Result<(), Refusal> {
        Ok(())
    }

    fn check_host(&self, hop: &Hop<'_>) -> Result<(), Refusal> {
        self.passage.check_host(&self.policy, hop).map_err(refusal)
    }

    fn check_address(&self, hop: &Hop<'_>, address: IpAddr) -> Result<(), Refusal> {
        let allowed = self.passage.check_address(&self.policy, hop, address);
        allowed.map(drop).map_err(refusal)
    }

    fn allows_loopback(&self, hop: &Hop<'_>) -> bool {
        self.passage.allows_loopback(&self.policy, hop)
    }

    fn allows_realm(&self, realm: &Hop<'_>) -> bool {
        self.passage.allows_realm(&self.policy, realm)
    }
}
