//! What there is to know of Quay.

use portolan_shared::model::{CredentialKind, DiscoveryMethod, ListingMethod, RepositoryName};

use super::login::Caller;
use super::repositories::Repositories;
use super::tags::Tags;
use crate::client::RegistryClient;
use crate::flavour::completed::Completed;
use crate::flavour::ladder::Wanted;
use crate::flavour::product::{Product, Rung, TagPages, owners};

/// Requests at once. Over HTTP/1.1 its front ends answer 503 to more connections than this; which version a connection speaks is not known
/// here, so it holds for both.
const CONCURRENCY: usize = 5;

pub(in crate::flavour) struct Quay;

impl Product for Quay {
    fn rungs(&self, client: &RegistryClient, wanted: &Wanted) -> Vec<Rung> {
        vec![Rung {
            method: DiscoveryMethod::QuayRepositories,
            shows_all: true,
            pages: Box::new(Repositories::new(client.clone(), owners(&wanted.patterns))),
        }]
    }

    fn tags(
        &self,
        client: &RegistryClient,
        repository: &RepositoryName,
    ) -> Option<(ListingMethod, Box<dyn TagPages>)> {
        let native = Tags::new(client.clone(), repository);
        let pages = Completed::boxed(native, client, repository);
        Some((ListingMethod::QuayTags, pages))
    }

    fn concurrency_hint(&self) -> Option<usize> {
        Some(CONCURRENCY)
    }

    fn kind_of(&self, username: &str) -> CredentialKind {
        Caller::kind(username)
    }
}
