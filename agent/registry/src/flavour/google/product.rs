//! What there is to know of Google's registries.

use portolan_shared::model::{CredentialKind, DiscoveryMethod, ListingMethod, RepositoryName};

use super::children::{Children, Roots};
use super::tags::Tags;
use crate::client::RegistryClient;
use crate::flavour::ladder::Wanted;
use crate::flavour::not_asked::not_asked;
use crate::flavour::product::{Product, Rung, TagPages};

pub(in crate::flavour) struct Google;

impl Product for Google {
    fn rungs(&self, client: &RegistryClient, wanted: &Wanted) -> Vec<Rung> {
        let roots = Roots::of(&wanted.patterns);
        if roots.is_empty() {
            let why = "it lists what is below a path, and no pattern names one";
            return vec![not_asked(client, DiscoveryMethod::GoogleChildren, why)];
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

    fn kind_of(&self, username: &str) -> CredentialKind {
        match username {
            "oauth2accesstoken" => CredentialKind::OauthToken,
            // The key of a service account, whose name is within the key.
            _ => CredentialKind::Unknown,
        }
    }
}
