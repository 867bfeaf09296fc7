//! What there is to know of Artifactory.

use portolan_shared::model::{DiscoveryMethod, ListingMethod, RepositoryName};

use super::images::Images;
use super::place::Place;
use super::tags::Tags;
use crate::api::Greeting;
use crate::client::RegistryClient;
use crate::flavour::completed::Completed;
use crate::flavour::ladder::Wanted;
use crate::flavour::not_asked::not_asked;
use crate::flavour::product::{Product, Rung, TagPages, owners};

pub(in crate::flavour) struct Artifactory(Place);

impl Artifactory {
    pub(in crate::flavour) fn new(client: &RegistryClient, greeting: &Greeting) -> Self {
        let realm = greeting.bearer().map(|asked| asked.realm);
        let place = Place::of(client.url().prefix(), realm.as_ref(), !greeting.is_nothing());
        if let Place::Instance { context } = &place {
            client.route_below(&format!("{context}/api/docker"));
        }
        Self(place)
    }
}

impl Product for Artifactory {
    fn rungs(&self, client: &RegistryClient, wanted: &Wanted) -> Vec<Rung> {
        let context = match &self.0 {
            Place::Instance { context } => context,
            // Its catalog is the list.
            Place::Repository { .. } => return Vec::new(),
            Place::Unknown => {
                let why = "nothing tells whether this is one repository or the instance; with the URL of either it is asked";
                return vec![not_asked(client, DiscoveryMethod::ArtifactoryRepositories, why)];
            }
        };
        vec![Rung {
            method: DiscoveryMethod::ArtifactoryRepositories,
            shows_all: true,
            pages: Box::new(Images::new(client.clone(), context, owners(&wanted.patterns))),
        }]
    }

    fn has_catalog(&self) -> bool {
        !self.has_registries_below()
    }

    fn tags(
        &self,
        client: &RegistryClient,
        repository: &RepositoryName,
    ) -> Option<(ListingMethod, Box<dyn TagPages>)> {
        let name = repository.as_str();
        let (context, key, image) = match &self.0 {
            Place::Instance { context } => {
                let (key, image) = name.split_once('/')?;
                (context, key, image)
            }
            Place::Repository { context, key } => (context, key.as_str(), name),
            Place::Unknown => return None,
        };
        let native = Tags::new(client.clone(), repository, context, key, image)?;
        let pages = Completed::boxed(native, client, repository);
        Some((ListingMethod::ArtifactoryAql, pages))
    }

    fn has_registries_below(&self) -> bool {
        matches!(self.0, Place::Instance { .. })
    }
}
