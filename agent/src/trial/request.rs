//! What the arguments stand for.

use std::str::FromStr;

use portolan_registry::{Hop, Purpose};
use portolan_shared::model::{CredentialReference, RegistryUrl, RegistryUrlError, RepositoryName};

use super::arguments::TrialArguments;

/// A request that a job could make.
#[derive(Debug, Clone)]
pub struct Request {
    /// The registry that the job would be about.
    pub registry: RegistryUrl,
    /// What would be contacted.
    pub target: RegistryUrl,
    /// What for.
    pub purpose: Purpose,
    /// Of which repository.
    pub repository: Option<RepositoryName>,
    /// With which credential.
    pub credential: Option<AskedCredential>,
}

/// The credential that a job would come with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AskedCredential {
    /// One of this machine.
    Local(CredentialReference),
    /// One that was sealed for this sensor.
    Sealed,
}

impl FromStr for AskedCredential {
    type Err = <CredentialReference as FromStr>::Err;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "sealed" => Ok(Self::Sealed),
            reference => reference.parse().map(Self::Local),
        }
    }
}

/// What was given is no request.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// The URL is none that a job could have.
    #[error("the URL")]
    Url(#[source] RegistryUrlError),
}

impl Request {
    /// Reads it from the arguments.
    pub fn of(arguments: &TrialArguments) -> Result<Self, RequestError> {
        let (purpose, registry) = match (&arguments.realm_of, &arguments.storage_of) {
            (Some(registry), _) => (Purpose::Realm, Some(registry)),
            (None, Some(registry)) => (Purpose::Storage, Some(registry)),
            (None, None) => (Purpose::Registry, None),
        };
        let text = match purpose {
            Purpose::Registry => arguments.url.as_str(),
            // Token services and storage are named by URLs with a query; it decides nothing.
            Purpose::Realm | Purpose::Storage => arguments.url.split(['?', '#']).next().unwrap_or_default(),
        };
        let target: RegistryUrl = text.parse().map_err(RequestError::Url)?;
        Ok(Self {
            registry: registry.unwrap_or(&target).clone(),
            target,
            purpose,
            repository: arguments.repository.clone(),
            credential: arguments.credential.clone(),
        })
    }

    pub(super) fn hop(&self) -> Hop<'_> {
        Hop {
            https: self.target.is_https(),
            host: self.target.host(),
            port: self.target.port(),
            purpose: self.purpose,
        }
    }
}
