//! What a registry looks like, and what one is made and changed from.

use std::collections::BTreeMap;

use jiff::Timestamp;
use portolan_shared::model::{
    Budget, CaTrust, CredentialReference, RegistryName, RegistryUrl, RepositoryPatterns, SensorId,
};
use portolan_store::RegistryRecord;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::{RegistryInput, RegistryPatch};
use crate::web::api::body::nullable;

/// A sensor, named.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SensorName {
    /// Its id.
    #[schema(format = "uuid")]
    pub id: String,
    /// Its name.
    pub name: String,
}

impl SensorName {
    pub(in crate::web::api) fn of(id: SensorId, names: &BTreeMap<SensorId, String>) -> Self {
        Self {
            id: id.to_string(),
            name: names.get(&id).cloned().unwrap_or_default(),
        }
    }
}

/// A registry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Registry {
    /// Its id.
    #[schema(format = "uuid")]
    pub id: String,
    /// Its name, unique within the tenant.
    pub name: String,
    /// Where it is.
    pub url: String,
    /// Certificates of authorities given for it.
    pub ca_certificates: usize,
    /// These certificates as PEM; left out in lists, where they would make up most of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_bundle_pem: Option<String>,
    /// Whether only these count, not the sensor's system store.
    pub only_ca_bundle: bool,
    /// Globs of the repositories that are wanted; all if empty.
    pub repositories: Vec<String>,
    /// Where the sensor finds the credential; read anonymously if null.
    pub credential_reference: Option<String>,
    /// Requests in flight at most.
    pub concurrency: u16,
    /// Sensors that may read it, the preferred first.
    pub sensors: Vec<SensorName>,
    /// Grows with each change.
    pub version: u64,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub changed_at: Timestamp,
    /// When a run of it last began.
    pub last_attempt_at: Option<Timestamp>,
    /// When a run of it was last complete.
    pub last_success_at: Option<Timestamp>,
}

impl Registry {
    /// As an item of a list.
    pub(super) fn listed(record: RegistryRecord, names: &BTreeMap<SensorId, String>) -> Self {
        Self {
            ca_bundle_pem: None,
            ..Self::of(record, names)
        }
    }

    pub(super) fn of(record: RegistryRecord, names: &BTreeMap<SensorId, String>) -> Self {
        let registry = record.registry;
        Self {
            id: registry.id.to_string(),
            name: registry.name.to_string(),
            url: registry.url.to_string(),
            ca_certificates: registry.ca.bundle_pem.as_deref().map_or(0, certificates),
            ca_bundle_pem: registry.ca.bundle_pem,
            only_ca_bundle: registry.ca.only_bundle,
            repositories: registry.repositories.as_slice().to_vec(),
            credential_reference: registry.credential.map(|reference| reference.to_string()),
            concurrency: registry.budget.concurrency,
            sensors: registry
                .sensors
                .into_iter()
                .map(|id| SensorName::of(id, names))
                .collect(),
            version: record.version,
            created_at: record.created_at,
            changed_at: record.changed_at,
            last_attempt_at: record.last_attempt_at,
            last_success_at: record.last_success_at,
        }
    }
}

/// A registry to be added.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateRegistry {
    /// Its name: lower-case letters, digits, `.`, `_` and `-`.
    #[schema(value_type = String, example = "gitlab", max_length = 63, pattern = "^[a-z0-9][a-z0-9._-]*$")]
    pub name: RegistryName,
    /// Where it is: `https://HOST[:PORT][/PREFIX]`, without user name.
    #[schema(value_type = String, example = "https://registry.example.com:5050")]
    pub url: RegistryUrl,
    /// Names or ids of the sensors that may read it, the preferred first.
    #[schema(min_items = 1, max_items = 16)]
    pub sensors: Vec<String>,
    /// PEM certificates of authorities to trust for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 65_536)]
    pub ca_bundle_pem: Option<String>,
    /// Trust only these, not the sensor's system store.
    #[serde(default)]
    pub only_ca_bundle: bool,
    /// Globs of the repositories that are wanted; all if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 500)]
    pub repositories: Vec<String>,
    /// Where the sensor finds the credential. This names a place on the sensor; it is never the credential.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(
        value_type = Option<String>, example = "file:/etc/portolan/gitlab",
        pattern = "^(file:/.*|env:[A-Za-z_][A-Za-z0-9_]*|docker-config(:/.*)?)$"
    )]
    pub credential_reference: Option<CredentialReference>,
    /// Requests in flight at most; 16 if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 64)]
    pub concurrency: Option<u16>,
}

impl CreateRegistry {
    pub(super) fn into_input(self) -> Result<RegistryInput, String> {
        Ok(RegistryInput {
            name: self.name,
            url: self.url,
            ca: CaTrust {
                bundle_pem: self.ca_bundle_pem,
                only_bundle: self.only_ca_bundle,
            },
            repositories: globs(self.repositories)?,
            credential: self.credential_reference,
            budget: self
                .concurrency
                .map_or_else(Budget::default, |concurrency| Budget {
                    concurrency,
                    ..Budget::default()
                }),
            sensors: self.sensors,
        })
    }
}

/// A change of a registry. What is not named stays as it is.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeRegistry {
    /// New name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, max_length = 63, pattern = "^[a-z0-9][a-z0-9._-]*$")]
    pub name: Option<RegistryName>,
    /// New address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub url: Option<RegistryUrl>,
    /// New sensors, by name or id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_items = 1, max_items = 16)]
    pub sensors: Option<Vec<String>>,
    /// New authorities; null for none.
    #[serde(
        default,
        deserialize_with = "nullable",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<String>, max_length = 65_536)]
    pub ca_bundle_pem: Option<Option<String>>,
    /// Whether only these count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only_ca_bundle: Option<bool>,
    /// New globs; an empty list for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_items = 500)]
    pub repositories: Option<Vec<String>>,
    /// New place of the credential on the sensor; null to read anonymously.
    #[serde(
        default,
        deserialize_with = "nullable",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(
        value_type = Option<String>,
        pattern = "^(file:/.*|env:[A-Za-z_][A-Za-z0-9_]*|docker-config(:/.*)?)$"
    )]
    pub credential_reference: Option<Option<CredentialReference>>,
    /// New bound of requests in flight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 64)]
    pub concurrency: Option<u16>,
}

impl ChangeRegistry {
    pub(super) fn into_patch(self) -> Result<RegistryPatch, String> {
        Ok(RegistryPatch {
            name: self.name,
            url: self.url,
            ca_bundle_pem: self.ca_bundle_pem,
            only_ca_bundle: self.only_ca_bundle,
            repositories: self.repositories.map(globs).transpose()?,
            credential: self.credential_reference,
            budget: self.concurrency.map(|concurrency| Budget {
                concurrency,
                ..Budget::default()
            }),
            sensors: self.sensors,
        })
    }
}

fn certificates(pem: &str) -> usize {
    pem.matches("-----BEGIN CERTIFICATE-----").count()
}

fn globs(globs: Vec<String>) -> Result<RepositoryPatterns, String> {
    RepositoryPatterns::new(globs).map_err(|error| error.to_string())
}
