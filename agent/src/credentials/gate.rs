//! Stands in front of a job's gate and keeps the job to the hosts that its sealed credential is bound to.

use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use portolan_registry::{Gate, Hop, Pass, Purpose, Refusal};

use super::login::SealedLogin;
use crate::policy::Told;

/// Refused by the hosts of token services that a credential is bound to.
const REALM: &str = "credential:realm";
/// Refused by the hosts of content that a credential is bound to.
const STORAGE: &str = "credential:storage";
/// The same of hosts that only a version is bound to which came while the job ran: the next job goes there.
const REALM_LATER: &str = "credential:realm.later";
const STORAGE_LATER: &str = "credential:storage.later";

/// A gate that lets a job through to fewer hosts: token services that the credential is bound to, storage that it is bound to, and the
/// registry itself; in all the versions of it that the job has held. Whatever it lets through is for the gate behind to decide.
pub struct BoundGate {
    inner: Arc<dyn Gate>,
    login: Arc<SealedLogin>,
    told: Told,
}

impl BoundGate {
    /// In front of the gate of a job that holds this login.
    #[must_use]
    pub fn new(inner: Arc<dyn Gate>, login: Arc<SealedLogin>) -> Self {
        Self {
            inner,
            login,
            told: Told::default(),
        }
    }

    fn check_bound(&self, hop: &Hop<'_>) -> Result<(), Refusal> {
        let (registry, reach, held) = (self.login.registry(), self.login.reach(), self.login.binding());
        let own = (registry.host(), registry.port()) == (hop.host, hop.port);
        let (hosts, held, rules) = match hop.purpose {
            // The login goes to its own registry only; what else is looked at in search of it is looked at as nobody.
            Purpose::Registry => return Ok(()),
            Purpose::Realm => (&reach.realms, &held.realm_hosts, (REALM, REALM_LATER)),
            Purpose::Storage => (&reach.storage, &held.storage_hosts, (STORAGE, STORAGE_LATER)),
        };
        let bound = own || hosts.contains(hop.host, hop.port);
        // In clear only where the registry itself is: a login that was entered for TLS never travels without it.
        let clear = !hop.https && registry.is_https();
        if bound && !clear {
            return Ok(());
        }
        let (rule, why) = match held.contains(hop.host, hop.port) && !clear {
            true => (
                rules.1,
                "the sealed credential was entered again while this job runs, and is bound to this host since: the next job goes there",
            ),
            false => (rules.0, "the sealed credential is not bound to this host"),
        };
        if self.told.first(&format!("{}:{}", hop.host, hop.port), rule) {
            tracing::warn!(rule, host = hop.host, port = hop.port, purpose = %hop.purpose, "{why}");
        }
        Err(Refusal::by(rule))
    }
}

#[async_trait]
impl Gate for BoundGate {
    async fn ready(&self) {
        self.inner.ready().await;
    }

    async fn place(&self) -> Pass {
        self.inner.place().await
    }

    fn contacted(&self, hop: &Hop<'_>) {
        self.inner.contacted(hop);
    }

    fn received(&self, hop: &Hop<'_>, bytes: usize) -> Result<(), Refusal> {
        self.inner.received(hop, bytes)
    }

    fn check_host(&self, hop: &Hop<'_>) -> Result<(), Refusal> {
        self.check_bound(hop)?;
        self.inner.check_host(hop)
    }

    fn check_address(&self, hop: &Hop<'_>, address: IpAddr) -> Result<(), Refusal> {
        self.inner.check_address(hop, address)
    }

    fn allows_loopback(&self, hop: &Hop<'_>) -> bool {
        self.inner.allows_loopback(hop)
    }

    /// The hosts were shown to whoever entered the credential, and accepted: those are allowed, however they are called. All others are
    /// refused by name when they are about to be contacted, also those that look as if they belonged to the registry.
    fn allows_realm(&self, _: &Hop<'_>) -> bool {
        true
    }
}
