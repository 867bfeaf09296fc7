//! The decisions about each step on the way to a registry.

use std::net::IpAddr;

use portolan_shared::model::{RegistryUrl, never_contacted};

use super::decide::{Policy, PolicyRefusal, Rule};
use super::host::literal;

/// Why a host is contacted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HopPurpose {
    /// It is the registry.
    Registry,
    /// The registry names it as its token service: it gets the credential.
    Realm,
    /// The registry redirects to it.
    Storage,
}

impl Policy {
    /// Whether reading this registry may lead to this host. Nothing is resolved; a host that is written as an address is judged as one.
    ///
    /// `host` is in lower case; IPv6 addresses in brackets.
    pub fn allows_hop(
        &self,
        registry: &RegistryUrl,
        https: bool,
        host: &str,
        port: u16,
        purpose: HopPurpose,
    ) -> Result<&str, PolicyRefusal> {
        let rule = self.rule_for(registry)?;
        let why = rule.refuses_hop(registry, https, host, port, purpose);
        if let Some(why) = why {
            return Err(rule.refusal(why));
        }
        match literal(host) {
            Some(address) => self.allows_address(registry, host, address),
            None => Ok(rule.id.as_str()),
        }
    }

    /// Whether this host may be contacted by a proxy, which resolves its name out of our sight. What cannot be kept to its addresses has to be
    /// written exactly: below a name, whoever has a say in its records would send the proxy anywhere.
    pub fn allows_unresolved(
        &self,
        registry: &RegistryUrl,
        host: &str,
        port: u16,
        purpose: HopPurpose,
        proxy: &str,
    ) -> Result<(), PolicyRefusal> {
        let rule = self.rule_for(registry)?;
        let places = match purpose {
            HopPurpose::Registry => &[],
            HopPurpose::Realm => rule.realms.as_slice(),
            HopPurpose::Storage => rule.storage.as_slice(),
        };
        let own = host == registry.host() && rule.host.is_exact();
        if own
            || places
                .iter()
                .any(|place| place.host.is_exact() && place.matches(host, port))
        {
            return Ok(());
        }
        Err(PolicyRefusal {
            rule: "policy:proxy".to_owned(),
            why: format!(
                "{host} is reached by the proxy {proxy}, which resolves the name, so that no address can be judged: {} has to name it exactly",
                rule.id
            ),
        })
    }

    /// Whether this address, which `host` resolved to, may be connected to for this registry.
    pub fn allows_address(
        &self,
        registry: &RegistryUrl,
        host: &str,
        address: IpAddr,
    ) -> Result<&str, PolicyRefusal> {
        if let Some(rule) = never_contacted(address) {
            return Err(PolicyRefusal {
                rule: rule.to_owned(),
                why: format!("{host} is at {address}, which is never contacted"),
            });
        }
        let rule = self.rule_for(registry)?;
        match rule.addresses.check(address) {
            Ok(()) => Ok(rule.id.as_str()),
            Err(kind) => Err(rule.refusal(format!(
                "{host} is at {address} ({kind}), but the entry allows {} addresses only",
                rule.addresses
            ))),
        }
    }

    /// Whether the file permits loopback addresses on the way to this registry.
    #[must_use]
    pub fn allows_loopback(&self, registry: &RegistryUrl) -> bool {
        self.rule_for(registry)
            .is_ok_and(|rule| rule.addresses.has_loopback())
    }

    /// Whether the file names this host as a token service of this registry. One on the registry's own host needs no naming.
    #[must_use]
    pub fn names_realm(&self, registry: &RegistryUrl, host: &str, port: u16) -> bool {
        self.rule_for(registry)
            .is_ok_and(|rule| rule.realms.iter().any(|realm| realm.matches(host, port)))
    }
}

impl Rule {
    fn refuses_hop(
        &self,
        registry: &RegistryUrl,
        https: bool,
        host: &str,
        port: u16,
        purpose: HopPurpose,
    ) -> Option<String> {
        if !https && !self.plaintext {
            return Some(format!("{host}:{port} would be contacted without TLS"));
        }
        let same_host = host == registry.host();
        let allowed = match purpose {
            HopPurpose::Registry => same_host && port == registry.port(),
            HopPurpose::Realm => same_host || self.realms.iter().any(|realm| realm.matches(host, port)),
            HopPurpose::Storage => {
                same_host || self.storage.iter().any(|storage| storage.matches(host, port))
            }
        };
        let list = match purpose {
            HopPurpose::Registry => return (!allowed).then(|| format!("{host}:{port} is not the registry")),
            HopPurpose::Realm => "realms",
            HopPurpose::Storage => "storage",
        };
        (!allowed).then(|| format!("{host}:{port} is not in the entry's {list}"))
    }
}
