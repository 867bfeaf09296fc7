//! What there is to know of Quay.

use async_trait::async_trait;
use portolan_shared::model::{
    CredentialFacts, CredentialKind, DiscoveryMethod, ListingMethod, RepositoryName,
};

use super::login::Caller;
use super::repositories::Repositories;
use super::tags::Tags;
use crate::client::RegistryClient;
use crate::error::{RegistryError, Subject};
use crate::flavour::completed::Completed;
use crate::flavour::ladder::Wanted;
use crate::flavour::product::{Product, Rung, TagPages, owners};

pub(in crate::flavour) struct Quay;

#[async_trait]
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

    async fn credential(&self, client: &RegistryClient) -> Result<Option<CredentialFacts>, RegistryError> {
        let hint = client.token_hint().await;
        let hint = hint.map_err(|fault| client.error(Subject::Credential, fault))?;
        Ok(hint.map(|hint| match hint.username() {
            Some(name) => CredentialFacts::of_kind(Caller::kind(name)).owned_by(name),
            None => CredentialFacts::of_kind(CredentialKind::Unknown),
        }))
    }
}
