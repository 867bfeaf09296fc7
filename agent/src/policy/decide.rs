//! The decisions.

use std::fmt;
use std::net::IpAddr;

use portolan_shared::model::{CredentialReference, RegistryUrl, never_contacted, printable};

use super::address::AddressSet;
use super::credentials::CredentialPattern;
use super::host::{HostPattern, HostPort, literal};

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

/// The policy says no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{rule}: {why}")]
pub struct PolicyRefusal {
    /// The rule that refused: `policy:allow[2]` for the second entry of the file, `policy:default` where no entry applies.
    pub rule: String,
    /// In words, for the tenant.
    pub why: String,
}

/// One `[[allow]]` entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    /// `policy:allow[1]`, counted from 1 as they stand in the file.
    pub(super) id: String,
    pub(super) host: HostPattern,
    pub(super) ports: Vec<u16>,
    pub(super) addresses: AddressSet,
    pub(super) realms: Vec<HostPort>,
    pub(super) storage: Vec<HostPort>,
    pub(super) credentials: Vec<CredentialPattern>,
    pub(super) plaintext: bool,
}

/// What a policy file allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    pub(super) rules: Vec<Rule>,
    pub(super) hash: [u8; 32],
}

const DEFAULT: &str = "policy:default";

impl Policy {
    /// Allows nothing.
    #[must_use]
    pub fn nothing() -> Self {
        Self {
            rules: Vec::new(),
            hash: hash(b""),
        }
    }

    /// Whether it allows nothing at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// SHA-256 of the file.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        self.hash
    }

    /// One line for people, at most 256 bytes.
    #[must_use]
    pub fn summary(&self) -> String {
        if self.rules.is_empty() {
            return "allows nothing".to_owned();
        }
        let hosts: Vec<String> = self.rules.iter().map(Rule::hosts).collect();
        let hosts = hosts.join(", ");
        printable(&format!("allows {}: {hosts}", self.rules.len()), 256)
    }

    /// One line per entry, for people.
    #[must_use]
    pub fn describe(&self) -> Vec<String> {
        self.rules.iter().map(ToString::to_string).collect()
    }

    /// Whether this registry may be read. Gives the id of the rule that allows it.
    pub fn allows_registry(&self, registry: &RegistryUrl) -> Result<&str, PolicyRefusal> {
        self.rule_for(registry).map(|rule| rule.id.as_str())
    }

    /// Whether this registry may be read with this credential.
    pub fn allows_credential(
        &self,
        registry: &RegistryUrl,
        reference: &CredentialReference,
    ) -> Result<&str, PolicyRefusal> {
        let rule = self.rule_for(registry)?;
        let allowed = rule.credentials.iter().any(|pattern| pattern.matches(reference));
        if allowed {
            Ok(rule.id.as_str())
        } else {
            Err(rule.refusal(format!(
                "the entry's credentials lack {reference}: this machine's administrator can add it to policy.toml"
            )))
        }
    }

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

    /// Whether this address, which `host` resolved to, may be connected to for this registry.
    pub fn allows_address(
        &self,
        registry: &RegistryUrl,
        host: &str,
        address: IpAddr,
    ) -> Result<&str, PolicyRefusal> {
        if let Some(rule) = never_contacted(address) {
            return Err(PolicyRefusal {
                rule: format!("policy:{rule}"),
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

    fn rule_for(&self, registry: &RegistryUrl) -> Result<&Rule, PolicyRefusal> {
        let mut nearest = None;
        for rule in &self.rules {
            if !rule.host.matches(registry.host()) {
                continue;
            }
            if !rule.ports.contains(&registry.port()) {
                nearest.get_or_insert((rule, "allows other ports of this host only"));
            } else if !registry.is_https() && !rule.plaintext {
                nearest = Some((rule, "allows https only"));
            } else {
                return Ok(rule);
            }
        }
        Err(match nearest {
            Some((rule, why)) => rule.refusal(format!("{}: the entry {why}", registry.authority())),
            None => PolicyRefusal {
                rule: DEFAULT.to_owned(),
                why: format!("no entry allows {}", registry.authority()),
            },
        })
    }
}

impl Rule {
    fn refusal(&self, why: String) -> PolicyRefusal {
        PolicyRefusal {
            rule: self.id.clone(),
            why,
        }
    }

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

    fn hosts(&self) -> String {
        let ports: Vec<String> = self.ports.iter().map(ToString::to_string).collect();
        format!("{}:{}", self.host, ports.join("|"))
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.plaintext { "https or http" } else { "https" };
        write!(
            f,
            "{}: {} over {scheme}, at {} addresses",
            self.id,
            self.hosts(),
            self.addresses
        )?;
        for (word, list) in [("realms", &self.realms), ("storage", &self.storage)] {
            if !list.is_empty() {
                let list: Vec<String> = list.iter().map(ToString::to_string).collect();
                write!(f, ", {word} {}", list.join(" "))?;
            }
        }
        Ok(())
    }
}

pub(super) fn hash(bytes: &[u8]) -> [u8; 32] {
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    hash.as_ref().try_into().expect("SHA-256 has 32 bytes")
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
