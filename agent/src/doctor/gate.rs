//! The local policy as the registry client asks it.

use std::borrow::Cow;
use std::net::IpAddr;

use async_trait::async_trait;
use portolan_registry::{Gate, Hop, Purpose, Refusal};
use portolan_shared::model::RegistryUrl;

use crate::policy::{HopPurpose, Policy, PolicyRefusal};

/// Asks a policy about every step on the way to one registry, and about other addresses that the registry may have instead.
pub(super) struct PolicyGate {
    pub(super) policy: Policy,
    pub(super) registry: RegistryUrl,
}

impl PolicyGate {
    /// The registry that a step belongs to. Only the registry itself may be another one than was given.
    fn registry_of(&self, hop: &Hop<'_>) -> Cow<'_, RegistryUrl> {
        let is_given = hop.host == self.registry.host() && hop.port == self.registry.port();
        if hop.purpose != Purpose::Registry || is_given {
            return Cow::Borrowed(&self.registry);
        }
        let scheme = if hop.https { "https" } else { "http" };
        format!("{scheme}://{}:{}", hop.host, hop.port)
            .parse()
            .map_or(Cow::Borrowed(&self.registry), Cow::Owned)
    }
}

fn refusal(refused: PolicyRefusal) -> Refusal {
    tracing::debug!(rule = %refused.rule, why = %refused.why, "the local policy refused a request");
    Refusal::by(refused.rule)
}

#[async_trait]
impl Gate for PolicyGate {
    fn check_host(&self, hop: &Hop<'_>) -> Result<(), Refusal> {
        let purpose = match hop.purpose {
            Purpose::Registry => HopPurpose::Registry,
            Purpose::Realm => HopPurpose::Realm,
            Purpose::Storage => HopPurpose::Storage,
        };
        let registry = self.registry_of(hop);
        let allowed = self
            .policy
            .allows_hop(&registry, hop.https, hop.host, hop.port, purpose);
        allowed.map(drop).map_err(refusal)
    }

    fn check_address(&self, hop: &Hop<'_>, address: IpAddr) -> Result<(), Refusal> {
        let registry = self.registry_of(hop);
        let allowed = self.policy.allows_address(&registry, hop.host, address);
        allowed.map(drop).map_err(refusal)
    }

    fn allows_loopback(&self, hop: &Hop<'_>) -> bool {
        self.policy.allows_loopback(&self.registry_of(hop))
    }

    fn allows_realm(&self, realm: &Hop<'_>) -> bool {
        self.policy.names_realm(&self.registry, realm.host, realm.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_place_for_the_registry_needs_an_entry_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("policy.toml");
        let text = "version = 1\n[[allow]]\nhost = \"gitlab.example.com\"\nports = [443, 5050]\nrealms = [\"login.example.com\"]\n";
        std::fs::write(&file, text).unwrap();
        let gate = PolicyGate {
            policy: Policy::load(&file).unwrap(),
            registry: "https://gitlab.example.com".parse().unwrap(),
        };
        let check = |host: &str, port, purpose| {
            let hop = Hop {
                https: true,
                host,
                port,
                purpose,
            };
            gate.check_host(&hop).is_ok()
        };
        assert!(check("gitlab.example.com", 443, Purpose::Registry));
        assert!(check("gitlab.example.com", 5050, Purpose::Registry));
        assert!(!check("gitlab.example.com", 4567, Purpose::Registry));
        assert!(!check("registry.example.com", 443, Purpose::Registry));
        assert!(check("login.example.com", 443, Purpose::Realm));
        assert!(!check("login.example.com", 443, Purpose::Registry));
        assert!(!check("elsewhere.example.com", 443, Purpose::Storage));
    }
}
