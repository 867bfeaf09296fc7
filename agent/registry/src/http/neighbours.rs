//! Hosts beside the registry's own that it speaks of.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use portolan_shared::model::limits;
use url::Url;

use super::endpoint::Origin;
use super::guard::Purpose;

/// The hosts that a registry names as token service or redirects to, whether or not they may be contacted: at most
/// [`limits::BOUND_HOSTS`] of each kind, further ones are not noted.
#[derive(Debug, Default)]
pub(crate) struct Neighbours {
    realms: Mutex<BTreeSet<String>>,
    storage: Mutex<BTreeSet<String>>,
}

impl Neighbours {
    fn of(&self, purpose: Purpose) -> Option<&Mutex<BTreeSet<String>>> {
        match purpose {
            Purpose::Registry => None,
            Purpose::Realm => Some(&self.realms),
            Purpose::Storage => Some(&self.storage),
        }
    }

    /// Notes the host of a URL, unless it is the registry's own.
    pub(crate) fn note(&self, registry: &Origin, purpose: Purpose, url: &Url) {
        let (Some(hosts), Some(origin)) = (self.of(purpose), Origin::of(url)) else {
            return;
        };
        if (&origin.host, origin.port) == (&registry.host, registry.port) {
            return;
        }
        let mut hosts = hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if hosts.len() < limits::BOUND_HOSTS {
            hosts.insert(origin.authority());
        }
    }

    /// Those of one kind, as `HOST:PORT`, ascending.
    pub(crate) fn hosts(&self, purpose: Purpose) -> Vec<String> {
        let Some(hosts) = self.of(purpose) else {
            return Vec::new();
        };
        let hosts = hosts.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_hosts_are_noted_once_and_up_to_the_bound() {
        let registry = Origin {
            https: true,
            host: "r.example.com".to_owned(),
            port: 443,
        };
        let known = Neighbours::default();
        let note = |purpose, url: &str| known.note(&registry, purpose, &Url::parse(url).unwrap());
        note(Purpose::Realm, "https://R.example.com./auth");
        note(Purpose::Registry, "https://x.example.com/");
        assert!(known.hosts(Purpose::Realm).is_empty());
        note(Purpose::Realm, "https://gitlab.example.com/jwt/auth?service=x");
        note(Purpose::Realm, "https://gitlab.example.com:443/again");
        note(Purpose::Realm, "https://r.example.com:8443/auth");
        assert_eq!(
            known.hosts(Purpose::Realm),
            ["gitlab.example.com:443", "r.example.com:8443"]
        );
        for number in 0..=limits::BOUND_HOSTS {
            note(
                Purpose::Storage,
                &format!("https://s{number}.example.com/blob?sig=1"),
            );
        }
        assert_eq!(known.hosts(Purpose::Storage).len(), limits::BOUND_HOSTS);
    }
}
