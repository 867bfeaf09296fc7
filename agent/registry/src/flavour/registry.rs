//! A registry whose product is known.

use std::sync::Arc;

use portolan_shared::model::{CredentialFacts, Detection, Finding, ListingStep, RepositoryName};

use super::detect;
use super::ladder::{Ladder, Wanted};
use super::product::Product;
use super::tag_list::{Listings, TagList};
use crate::client::RegistryClient;
use crate::error::RegistryError;

/// A registry whose product is known, read by the product's own ways where these are open to the credential, and as any other where not.
/// Cheap to clone; clones share what was learnt.
#[derive(Clone)]
pub struct Registry {
    client: RegistryClient,
    product: Arc<dyn Product>,
    detection: Arc<Detection>,
    listings: Arc<Listings>,
}

impl Registry {
    /// Asks the API's root and finds out which product answers.
    ///
    /// # Errors
    /// If this is no registry, or nothing else that is asked of it can succeed, such as after a refused login. That a credential may not
    /// see the root is no error: single repositories may still be open to it.
    pub async fn open(client: RegistryClient) -> Result<Self, RegistryError> {
        let ping = client.ping().await?;
        let (product, detection) = detect::product(&ping);
        Ok(Self {
            client,
            product,
            detection: Arc::new(detection),
            listings: Arc::default(),
        })
    }

    /// Which product answers.
    #[must_use]
    pub fn detection(&self) -> &Detection {
        &self.detection
    }

    /// The client that it is read with.
    #[must_use]
    pub fn client(&self) -> &RegistryClient {
        &self.client
    }

    /// Finds repositories.
    #[must_use]
    pub fn repositories(&self, wanted: &Wanted) -> Ladder {
        Ladder::new(&*self.product, &self.client, wanted)
    }

    /// Lists the tags of a repository.
    #[must_use]
    pub fn tags(&self, repository: &RepositoryName) -> TagList {
        let native = self.product.tags(&self.client, repository);
        TagList::new(
            self.client.clone(),
            repository.clone(),
            native,
            Arc::clone(&self.listings),
        )
    }

    /// How tags were listed so far, in order of preference.
    #[must_use]
    pub fn listings(&self) -> Vec<ListingStep> {
        self.listings.steps()
    }

    /// What is known of the credential; `None` without one.
    pub async fn credential(&self) -> Result<Option<CredentialFacts>, RegistryError> {
        self.product.credential(&self.client).await
    }

    /// What went wrong, in this product's terms. May ask the product.
    pub async fn explain(&self, error: &RegistryError) -> Finding {
        let explained = self.product.explain(&self.client, error).await;
        explained.unwrap_or_else(|| error.finding())
    }
}
