//! What there is to know of Zot.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use async_trait::async_trait;
use portolan_shared::model::{
    CredentialFacts, CredentialKind, DiscoveryMethod, ListingMethod, RepositoryName,
};

use super::repositories::Repositories;
use super::tags::Tags;
use crate::client::RegistryClient;
use crate::error::{RegistryError, Subject};
use crate::flavour::completed::Completed;
use crate::flavour::ladder::Wanted;
use crate::flavour::product::{Product, Rung, TagPages};

#[derive(Default)]
pub(in crate::flavour) struct Zot {
    /// Whether its schema has turned out not to know when tags were pushed.
    without_times: Arc<AtomicBool>,
}

#[async_trait]
impl Product for Zot {
    /// The catalog comes first: it shows everything that the login may see in one answer. The database behind the search holds no
    /// repository that has nothing but signatures.
    fn rungs(&self, client: &RegistryClient, _: &Wanted) -> Vec<Rung> {
        vec![
            Rung {
                method: DiscoveryMethod::Catalog,
                shows_all: true,
                pages: Box::new(client.catalog()),
            },
            Rung {
                method: DiscoveryMethod::ZotSearch,
                shows_all: false,
                pages: Box::new(Repositories::new(client.clone())),
            },
        ]
    }

    /// It has one, which is among the rungs already.
    fn has_catalog(&self) -> bool {
        false
    }

    fn tags(
        &self,
        client: &RegistryClient,
        repository: &RepositoryName,
    ) -> Option<(ListingMethod, Box<dyn TagPages>)> {
        let native = Tags::new(
            client.clone(),
            repository.clone(),
            Arc::clone(&self.without_times),
        );
        let pages = Completed::boxed(native, client, repository);
        Some((ListingMethod::ZotSearch, pages))
    }

    async fn credential(&self, client: &RegistryClient) -> Result<Option<CredentialFacts>, RegistryError> {
        let hint = client.token_hint().await;
        let hint = hint.map_err(|fault| client.error(Subject::Credential, fault))?;
        // An API key is sent in place of a password, and looks like one.
        Ok(hint.map(|hint| match hint.username() {
            Some(name) => CredentialFacts::of_kind(CredentialKind::Password).owned_by(name),
            None => CredentialFacts::of_kind(CredentialKind::Unknown),
        }))
    }
}
