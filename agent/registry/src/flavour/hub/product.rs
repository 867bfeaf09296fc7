//! What there is to know of Docker Hub.

use std::sync::Arc;

use portolan_shared::model::{DiscoveryMethod, ListingMethod, RepositoryName};
use url::Url;

use super::repositories::Repositories;
use super::tags::Tags;
use super::web_api::{List, WebApi};
use crate::client::RegistryClient;
use crate::error::Subject;
use crate::flavour::completed::Completed;
use crate::flavour::ladder::Wanted;
use crate::flavour::product::{Product, Rung, TagPages, owners};

/// The hosts of Docker Hub's registry. Whoever else calls himself by its name, as a cache in front of it does, has no web API.
const HOSTS: [&str; 4] = [
    "docker.io",
    "index.docker.io",
    "registry-1.docker.io",
    "registry.docker.io",
];
const API: &str = "https://hub.docker.com";

pub(in crate::flavour) struct Hub {
    /// Where the web API is, if this is Docker Hub itself.
    api: Option<Arc<WebApi>>,
}

impl Hub {
    /// By where it is configured to be, not by where an answer came from.
    pub(in crate::flavour) fn recognised(client: &RegistryClient) -> Self {
        let host = client.url().host();
        let api = HOSTS.contains(&host).then(|| Url::parse(API).ok()).flatten();
        Self::new(api)
    }

    /// Docker Hub whose web API is at this URL.
    pub(super) fn new(api: Option<Url>) -> Self {
        let api = api.map(|url| Arc::new(WebApi::new(url)));
        Self { api }
    }
}

impl Product for Hub {
    fn rungs(&self, client: &RegistryClient, wanted: &Wanted) -> Vec<Rung> {
        let Some(api) = &self.api else {
            return Vec::new();
        };
        let namespaces = owners(&wanted.patterns);
        vec![Rung {
            method: DiscoveryMethod::HubRepositories,
            shows_all: true,
            pages: Box::new(Repositories::new(client.clone(), Arc::clone(api), namespaces)),
        }]
    }

    fn has_catalog(&self) -> bool {
        false
    }

    fn tags(
        &self,
        client: &RegistryClient,
        repository: &RepositoryName,
    ) -> Option<(ListingMethod, Box<dyn TagPages>)> {
        let api = Arc::clone(self.api.as_ref()?);
        // Official images have a namespace that nobody writes.
        let (namespace, name) = repository
            .as_str()
            .split_once('/')
            .unwrap_or(("library", repository.as_str()));
        if name.contains('/') {
            return None;
        }
        let path = format!("/v2/namespaces/{namespace}/repositories/{name}/tags");
        let subject = Subject::Listing(ListingMethod::HubTags, repository.clone());
        let native = Tags::new(List::new(
            client.clone(),
            api,
            subject,
            path,
            client.limits().tags,
        ));
        Some((
            ListingMethod::HubTags,
            Completed::boxed(native, client, repository),
        ))
    }
}
