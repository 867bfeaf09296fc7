//! What there is to know of Google's registries.

use async_trait::async_trait;
use portolan_shared::model::{
    CredentialFacts, CredentialKind, DiscoveryMethod, ListingMethod, RepositoryName,
};

use super::children::{Children, Roots};
use super::tags::Tags;
use crate::client::RegistryClient;
use crate::error::{RegistryError, Subject};
use crate::flavour::ladder::Wanted;
use crate::flavour::product::{Product, Rung, TagPages};

pub(in crate::flavour) struct Google;

#[async_trait]
impl Product for Google {
    fn rungs(&self, client: &RegistryClient, wanted: &Wanted) -> Vec<Rung> {
        let roots = Roots::of(&wanted.patterns);
        if roots.is_empty() {
            return Vec::new();
        }
        vec![Rung {
            method: DiscoveryMethod::GoogleChildren,
            shows_all: roots.are_all(),
            pages: Box::new(Children::new(client.clone(), roots)),
        }]
    }

    fn tags(
        &self,
        client: &RegistryClient,
        repository: &RepositoryName,
    ) -> Option<(ListingMethod, Box<dyn TagPages>)> {
        let pages = Tags::new(client.clone(), repository.clone());
        Some((ListingMethod::GoogleTagsList, Box::new(pages)))
    }

    async fn credential(&self, client: &RegistryClient) -> Result<Option<CredentialFacts>, RegistryError> {
        let hint = client.token_hint().await;
        let hint = hint.map_err(|fault| client.error(Subject::Credential, fault))?;
        Ok(hint.map(|hint| match hint.username() {
            Some("oauth2accesstoken") => CredentialFacts::of_kind(CredentialKind::OauthToken),
            // The key of a service account, whose name is within the key.
            _ => CredentialFacts::of_kind(CredentialKind::Unknown),
        }))
    }
}
