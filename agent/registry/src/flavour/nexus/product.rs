//! What there is to know of Nexus.

use portolan_shared::model::{CredentialKind, DiscoveryMethod, ListingMethod, RepositoryName};

use super::images::{Among, Images};
use super::kept::Kept;
use crate::api::Greeting;
use crate::client::{Part, RegistryClient};
use crate::flavour::ladder::Wanted;
use crate::flavour::not_asked::not_asked;
use crate::flavour::product::{Product, Rung, TagPages, owners};

pub(in crate::flavour) struct Nexus {
    place: Place,
    kept: Kept,
}

/// What the given address is.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    /// One repository, by its path below this one.
    Repository { context: String, key: String },
    /// The instance: no registry itself.
    Instance { context: String },
    /// A port or host name of one repository. Nexus's own API is mostly elsewhere, and would not tell which one.
    Connector,
}

impl Place {
    /// `prefix` is the path of the given address; `is_registry` whether there is one right below it.
    fn of(prefix: &str, is_registry: bool) -> Self {
        if let Some((context, key)) = prefix.rsplit_once("/repository/")
            && Part::new(key).is_some()
        {
            return Self::Repository {
                context: context.to_owned(),
                key: key.to_owned(),
            };
        }
        if is_registry {
            Self::Connector
        } else {
            Self::Instance {
                context: prefix.to_owned(),
            }
        }
    }
}

impl Nexus {
    pub(in crate::flavour) fn new(client: &RegistryClient, greeting: &Greeting) -> Self {
        let place = Place::of(client.url().prefix(), !greeting.is_nothing());
        if let Place::Instance { context } = &place {
            client.route_below(&format!("{context}/repository"));
        }
        Self {
            place,
            kept: Kept::default(),
        }
    }
}

impl Product for Nexus {
    fn rungs(&self, client: &RegistryClient, wanted: &Wanted) -> Vec<Rung> {
        let (context, among) = match &self.place {
            Place::Instance { context } => {
                (context, owners(&wanted.patterns).map_or(Among::All, Among::Named))
            }
            Place::Repository { context, key } => (context, Among::One(key.clone())),
            Place::Connector => {
                let why = "this is the port or the host of one repository, which does not tell its name; with the instance's URL it is asked";
                return vec![not_asked(client, DiscoveryMethod::NexusComponents, why)];
            }
        };
        vec![Rung {
            method: DiscoveryMethod::NexusComponents,
            shows_all: true,
            pages: Box::new(Images::new(client.clone(), context, among, self.kept.clone())),
        }]
    }

    fn has_catalog(&self) -> bool {
        !self.has_registries_below()
    }

    fn tags(
        &self,
        _: &RegistryClient,
        repository: &RepositoryName,
    ) -> Option<(ListingMethod, Box<dyn TagPages>)> {
        self.kept
            .take(repository)
            .map(|pages| (ListingMethod::NexusComponents, pages))
    }

    fn kind_of(&self, _: &str) -> CredentialKind {
        // The two halves of a user token are a name and a password to everybody but Nexus.
        CredentialKind::Password
    }

    fn has_registries_below(&self) -> bool {
        matches!(self.place, Place::Instance { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_tells_what_is_read() {
        let repository = |context: &str| Place::Repository {
            context: context.into(),
            key: "docker-hosted".into(),
        };
        let instance = |context: &str| Place::Instance {
            context: context.into(),
        };
        assert_eq!(Place::of("/repository/docker-hosted", true), repository(""));
        assert_eq!(
            Place::of("/nexus/repository/docker-hosted", false),
            repository("/nexus")
        );
        assert_eq!(Place::of("", false), instance(""));
        assert_eq!(Place::of("/nexus", false), instance("/nexus"));
        assert_eq!(Place::of("", true), Place::Connector);
        assert_eq!(Place::of("/repository/a/b", true), Place::Connector);
    }
}
