//! Stands in front of a job's gate and notes which hosts are contacted, and which not.

use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use portolan_registry::{Gate, Hop, Pass, Refusal};
use portolan_shared::process::{Clock, ProxyRules};

use super::contacts::Contacts;
use super::log::AuditLog;

/// A gate whose answers are recorded: hosts when they are contacted first, with the proxies on the way, and then with counts; refusals at once.
pub(crate) struct AuditedGate {
    inner: Arc<dyn Gate>,
    contacts: Contacts,
}

impl AuditedGate {
    /// In front of the gate of a job on this registry, which is reached by these proxies.
    pub(crate) fn new(
        inner: Arc<dyn Gate>,
        log: &Arc<AuditLog>,
        clock: Arc<dyn Clock>,
        registry: String,
        proxies: ProxyRules,
    ) -> Self {
        Self {
            inner,
            contacts: Contacts::new(log, clock, registry, proxies),
        }
    }

    fn noted(&self, hop: &Hop<'_>, answer: Result<(), Refusal>) -> Result<(), Refusal> {
        answer.inspect_err(|refusal| self.contacts.refused(hop, &refusal.rule))
    }
}

#[async_trait]
impl Gate for AuditedGate {
    async fn ready(&self) {
        self.inner.ready().await;
    }

    async fn place(&self) -> Pass {
        self.inner.place().await
    }

    fn contacted(&self, hop: &Hop<'_>) {
        self.contacts.asked(hop);
        self.inner.contacted(hop);
    }

    fn received(&self, hop: &Hop<'_>, bytes: usize) -> Result<(), Refusal> {
        self.contacts.received(hop, bytes);
        self.noted(hop, self.inner.received(hop, bytes))
    }

    fn check_host(&self, hop: &Hop<'_>) -> Result<(), Refusal> {
        self.noted(hop, self.inner.check_host(hop))
    }

    fn check_address(&self, hop: &Hop<'_>, address: IpAddr) -> Result<(), Refusal> {
        self.noted(hop, self.inner.check_address(hop, address))
    }

    fn allows_loopback(&self, hop: &Hop<'_>) -> bool {
        self.inner.allows_loopback(hop)
    }

    fn allows_realm(&self, realm: &Hop<'_>) -> bool {
        self.inner.allows_realm(realm)
    }
}
