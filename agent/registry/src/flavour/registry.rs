//! A registry whose product is known.

use std::sync::Arc;

use http::HeaderMap;
use portolan_shared::model::{
    CredentialFacts, Detection, Finding, FindingCode, ListingStep, RegistryFacts, RepositoryName,
};

use super::ladder::{Ladder, Wanted};
use super::product::Product;
use super::products::product_of;
use super::tag_list::{Listings, TagList};
use super::{detect, gitlab};
use crate::api::{Greeting, Login};
use crate::client::RegistryClient;
use crate::error::{Fault, RegistryError, Subject};

/// A registry whose product is known, read by the product's own ways where these are open to the credential, and as any other where not.
/// Cheap to clone; clones share what was learnt.
#[derive(Clone)]
pub struct Registry {
    client: RegistryClient,
    greeting: Arc<Greeting>,
    login: Arc<Login>,
    product: Arc<dyn Product>,
    detection: Arc<Detection>,
    listings: Arc<Listings>,
}

impl Registry {
    /// Asks the API's root, as a stranger and then with the login, and finds out which product answers.
    ///
    /// # Errors
    /// If this is no registry, or nothing else that is asked of it can succeed, such as after a refused login. That a credential may not
    /// see the root is no error: single repositories may still be open to it. The error's finding is in the product's terms.
    pub async fn open(client: RegistryClient) -> Result<Self, RegistryError> {
        let mut registry = Self::recognise(client).await?;
        registry.log_in().await?;
        Ok(registry)
    }

    /// Asks the API's root as a stranger, and finds out which product answers. The login is not used, unless the address turns out to be
    /// that of a product's web interface: then the product is asked where its registry is.
    ///
    /// # Errors
    /// If this is no registry.
    pub async fn recognise(client: RegistryClient) -> Result<Self, RegistryError> {
        let failed = |fault| client.error(Subject::Api, fault);
        let greeting = client.greet().await.map_err(failed)?;
        if let Some(fault) = gitlab::web_address(&client, &greeting).await {
            return Err(failed(fault));
        }
        let detection = detect::recognise(&client, &greeting).await;
        let product = product_of(detection.flavour, &client, &greeting);
        let login = match greeting.login() {
            // Each of them asks for itself.
            Err(_) if product.has_registries_below() && greeting.is_nothing() => Login::NotAsked,
            login => login.map_err(failed)?,
        };
        tracing::debug!(registry = ?client, flavour = %detection.flavour, confidence = %detection.confidence, "recognised");
        let registry = Self {
            product,
            greeting: Arc::new(greeting),
            login: Arc::new(login),
            detection: Arc::new(detection),
            listings: Arc::default(),
            client,
        };
        registry.spare();
        Ok(registry)
    }

    /// Asks no more at once than the product bears.
    fn spare(&self) {
        if let Some(ceiling) = self.product.concurrency_hint() {
            self.client.narrow(ceiling);
        }
    }

    /// Shows the API's root the login, and learns what it says then. Whether it let us in: `true` also where nobody is asked who he is,
    /// `false` for a stranger and for a credential that may not see the root.
    ///
    /// # Errors
    /// If nothing else that is asked can succeed: a refused login, or tokens that the registry does not accept.
    pub async fn log_in(&mut self) -> Result<bool, RegistryError> {
        if *self.login == Login::NotAsked {
            let greeting = Arc::clone(&self.greeting);
            self.entered(greeting.headers());
            return Ok(true);
        }
        let allowed = self.product.may_log_in(&self.client).await;
        let outcome = match allowed {
            Ok(()) => self.client.enter().await,
            Err(fault) => Err(fault),
        };
        match outcome {
            Ok(Some(headers)) => {
                self.entered(&headers);
                Ok(true)
            }
            Ok(None) => Ok(false),
            Err(fault) => {
                let root_only = matches!(fault, Fault::Denied { .. });
                let error = self.client.error(Subject::Api, fault);
                let finding = self.product.explain(&self.client, &error).await;
                let is_final = finding
                    .as_ref()
                    .is_some_and(|finding| finding.code == FindingCode::TokenRefused);
                if root_only && !is_final {
                    return Ok(false);
                }
                Err(error.explained(finding))
            }
        }
    }

    fn entered(&mut self, headers: &HeaderMap) {
        let detection = detect::admitted(&self.detection, headers);
        if detection.flavour != self.detection.flavour {
            self.product = product_of(detection.flavour, &self.client, &self.greeting);
            self.spare();
        }
        self.detection = Arc::new(detection);
        self.product.entered(headers);
    }

    /// Which product answers.
    #[must_use]
    pub fn detection(&self) -> &Detection {
        &self.detection
    }

    /// How the API's root received a stranger.
    pub(crate) fn greeting(&self) -> &Greeting {
        &self.greeting
    }

    /// How the registry wants to be asked.
    #[must_use]
    pub fn login(&self) -> &Login {
        &self.login
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
        .or_at_last(self.product.last_tags(&self.client, repository))
    }

    /// How tags were listed so far, in order of preference.
    #[must_use]
    pub fn listings(&self) -> Vec<ListingStep> {
        self.listings.steps()
    }

    /// What is known of the credential; `None` without one.
    ///
    /// # Errors
    /// If the product says that the credential has ended or was revoked; that it says nothing is no error.
    pub async fn credential(&self) -> Result<Option<CredentialFacts>, RegistryError> {
        self.product.credential(&self.client).await
    }

    /// What is worth knowing of the credential although it works, such as a user name that does not belong to its kind.
    pub async fn remarks(&self) -> Vec<Finding> {
        self.product.remarks(&self.client).await
    }

    /// What is worth knowing of how the product is set up to keep this repository, as far as the credential may see that; at most a few.
    pub async fn advisories(&self, repository: &RepositoryName) -> Vec<Finding> {
        self.product.advisories(&self.client, repository).await
    }

    /// What is known of the registry beside its content.
    pub async fn facts(&self) -> RegistryFacts {
        let credential = self.credential().await.unwrap_or_else(|error| {
            tracing::debug!(%error, "nothing is known of the credential");
            None
        });
        RegistryFacts {
            detection: Some(self.detection().clone()),
            credential,
            certificates: self.client.certificates(),
            ..RegistryFacts::default()
        }
    }

    /// What went wrong, in this product's terms. May ask the product.
    pub async fn explain(&self, error: &RegistryError) -> Finding {
        if error.is_explained() {
            return error.finding();
        }
        let explained = self.product.explain(&self.client, error).await;
        explained.unwrap_or_else(|| error.finding())
    }
}
