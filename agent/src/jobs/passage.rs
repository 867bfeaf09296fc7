//! What the policy says of each step on the way to one registry: the one place where a step becomes a question to it.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use portolan_registry::{Hop, Purpose};
use portolan_shared::model::RegistryUrl;
use portolan_shared::process::ProxyRules;

use crate::policy::{ControlPlaneDoors, HopPurpose, Policy, PolicyRefusal};

/// The way to one registry, and to other addresses that the registry may have instead.
#[derive(Debug, Clone)]
pub(crate) struct Passage {
    registry: RegistryUrl,
    /// `HOST:PORT`; kept because it is asked for with each request.
    authority: Arc<str>,
    proxies: ProxyRules,
    control_plane: Arc<ControlPlaneDoors>,
}

impl Passage {
    /// To this registry, by these proxies.
    pub(crate) fn new(registry: RegistryUrl, proxies: ProxyRules) -> Self {
        Self {
            authority: registry.authority().into(),
            registry,
            proxies,
            control_plane: Arc::default(),
        }
    }

    /// The same, and never to the control plane that listens here.
    #[must_use]
    pub(crate) fn never_to(self, control_plane: Arc<ControlPlaneDoors>) -> Self {
        Self {
            control_plane,
            ..self
        }
    }

    /// Where it leads.
    pub(crate) fn registry(&self) -> &RegistryUrl {
        &self.registry
    }

    /// `HOST:PORT` of that.
    pub(crate) fn authority(&self) -> &Arc<str> {
        &self.authority
    }

    /// Whether a step may be made.
    pub(crate) fn check_host(&self, policy: &Policy, hop: &Hop<'_>) -> Result<(), PolicyRefusal> {
        self.control_plane.check_host(hop.host, hop.port)?;
        let registry = self.registry_of(hop);
        let purpose = purpose(hop.purpose);
        policy.allows_hop(&registry, hop.https, hop.host, hop.port, purpose)?;
        if hop.literal().is_none()
            && let Some(proxy) = self.proxies.proxy_for(hop.https, hop.host, hop.port)
        {
            policy.allows_unresolved(&registry, hop.host, hop.port, purpose, &proxy.to_string())?;
        }
        Ok(())
    }

    /// Whether an address of the step's host may be connected to. Gives the rule that allows it.
    pub(crate) fn check_address<'p>(
        &self,
        policy: &'p Policy,
        hop: &Hop<'_>,
        address: IpAddr,
    ) -> Result<&'p str, PolicyRefusal> {
        self.control_plane.check_address(hop.host, hop.port, address)?;
        policy.allows_address(&self.registry_of(hop), hop.host, address)
    }

    /// Whether the step's host may be on this machine.
    pub(crate) fn allows_loopback(&self, policy: &Policy, hop: &Hop<'_>) -> bool {
        policy.allows_loopback(&self.registry_of(hop))
    }

    /// Whether the credential may go to this token service.
    pub(crate) fn allows_realm(&self, policy: &Policy, realm: &Hop<'_>) -> bool {
        policy.names_realm(&self.registry, realm.host, realm.port)
    }

    /// The registry that a step belongs to. Only the registry itself may be another one than was given: then an entry of its own has to allow it.
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

fn purpose(purpose: Purpose) -> HopPurpose {
    match purpose {
        Purpose::Registry => HopPurpose::Registry,
        Purpose::Realm => HopPurpose::Realm,
        Purpose::Storage => HopPurpose::Storage,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(entries: &str) -> Policy {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("policy.toml");
        std::fs::write(&file, format!("version = 1\n{entries}")).unwrap();
        Policy::load(&file).unwrap()
    }

    fn hop(host: &str, port: u16, purpose: Purpose) -> Hop<'_> {
        Hop {
            https: true,
            host,
            port,
            purpose,
        }
    }

    #[test]
    fn another_place_for_the_registry_needs_an_entry_of_its_own() {
        let policy = policy(
            "[[allow]]\nhost = \"gitlab.example.com\"\nports = [443, 5050]\nrealms = [\"login.example.com\"]\n",
        );
        let passage = Passage::new(
            "https://gitlab.example.com".parse().unwrap(),
            ProxyRules::default(),
        );
        let check =
            |host: &str, port, purpose| passage.check_host(&policy, &hop(host, port, purpose)).is_ok();
        assert!(check("gitlab.example.com", 443, Purpose::Registry));
        assert!(check("gitlab.example.com", 5050, Purpose::Registry));
        assert!(!check("gitlab.example.com", 4567, Purpose::Registry));
        assert!(!check("registry.example.com", 443, Purpose::Registry));
        assert!(check("login.example.com", 443, Purpose::Realm));
        assert!(!check("login.example.com", 443, Purpose::Registry));
        assert!(!check("elsewhere.example.com", 443, Purpose::Storage));
    }

    #[test]
    fn behind_a_proxy_only_hosts_that_the_file_names_exactly_are_contacted() {
        let policy = policy(
            "[[allow]]\nhost = \"r.example.com\"\nrealms = [\"*.login.example.com\", \"auth.example.com\"]\n\
             [[allow]]\nhost = \"*.below.example.com\"\nstorage = [\"s3.example.com\"]\n",
        );
        let proxies = ProxyRules {
            https: Some("http://proxy.example.com:3128".parse().unwrap()),
            ..ProxyRules::default()
        };
        let to =
            |registry: &str, proxies: &ProxyRules| Passage::new(registry.parse().unwrap(), proxies.clone());
        let rule = |passage: &Passage, hop: &Hop<'_>| passage.check_host(&policy, hop).map_err(|no| no.rule);
        let by_proxy = Err("policy:proxy".to_owned());
        let exact = to("https://r.example.com", &proxies);
        assert_eq!(
            rule(&exact, &hop("r.example.com", 443, Purpose::Registry)),
            Ok(())
        );
        assert_eq!(
            rule(&exact, &hop("auth.example.com", 443, Purpose::Realm)),
            Ok(())
        );
        assert_eq!(
            rule(&exact, &hop("a.login.example.com", 443, Purpose::Realm)),
            by_proxy
        );
        let below = to("https://a.below.example.com", &proxies);
        let itself = hop("a.below.example.com", 443, Purpose::Registry);
        assert_eq!(rule(&below, &itself), by_proxy);
        assert_eq!(
            rule(&below, &hop("s3.example.com", 443, Purpose::Storage)),
            Ok(())
        );
        let direct = to("https://a.below.example.com", &ProxyRules::default());
        assert_eq!(rule(&direct, &itself), Ok(()));
    }

    #[test]
    fn no_step_leads_to_the_control_plane_whatever_it_is_for() {
        let policy = policy(
            "[[allow]]\nhost = \"*.example.com\"\nports = [443, 7443]\naddresses = [\"private\"]\n\
             realms = [\"*.example.com\"]\nstorage = [\"*.example.com\"]\n",
        );
        let doors = Arc::new(ControlPlaneDoors::new([(
            "portolan.example.com".to_owned(),
            7443,
        )]));
        doors.learn([([10, 0, 0, 7], 7443).into()]);
        let to = |url: &str| {
            Passage::new(url.parse().unwrap(), ProxyRules::default()).never_to(Arc::clone(&doors))
        };
        let never = Err("address.control_plane".to_owned());
        let passage = to("https://r.example.com:7443");
        for purpose in [Purpose::Registry, Purpose::Realm, Purpose::Storage] {
            let host = |host| {
                passage
                    .check_host(&policy, &hop(host, 7443, purpose))
                    .map_err(|no| no.rule)
            };
            assert_eq!(host("portolan.example.com"), never, "{purpose}");
            assert_eq!(host("r.example.com"), Ok(()), "{purpose}");
            let address = |port, last| {
                let hop = hop("r.example.com", port, purpose);
                let answer = passage.check_address(&policy, &hop, [10, 0, 0, last].into());
                answer.map(drop).map_err(|no| no.rule)
            };
            assert_eq!(address(7443, 7), never, "{purpose}: another name of it");
            assert_eq!(address(7443, 8), Ok(()), "{purpose}");
            assert_eq!(address(443, 7), Ok(()), "{purpose}: a registry beside it");
        }
    }
}
