//! What a registry is made and changed from.

use std::num::{NonZeroU16, NonZeroU32};

use portolan_shared::model::{
    Budget, CaTrust, CredentialReference, NamePatterns, RegistryId, RegistryName, RegistryUrl,
    RepositoryPatterns, TagFilter,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ScheduleInput;
use crate::app::{RegistryInput, RegistryPatch};
use crate::web::api::ApiError;
use crate::web::api::body::nullable;
use crate::web::api::credentials::SealedCredentialInput;

/// A registry to be added.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateRegistry {
    /// Its id, which a sealed credential is bound to before the registry is saved; made up if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = "uuid")]
    pub id: Option<RegistryId>,
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
    /// Patterns of the repositories that are wanted; all if empty. Each is a glob, where `*` stays within a path component and `**` crosses
    /// them, or `re:` and a regular expression for the whole name; with `!` in front, names that match are left out, whatever else takes
    /// them in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 500, example = json!(["acme/**", "!re:.*/scratch"]))]
    pub repositories: Vec<String>,
    /// Patterns of the tags that are wanted, in the same form; all if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 500, example = json!(["v*", "!*-rc*"]))]
    pub tags: Vec<String>,
    /// Only so many tags of a repository are wanted, those that were pushed last. Where that is not known of all, all are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u32>, minimum = 1)]
    pub newest_tags: Option<NonZeroU32>,
    /// Only tags are wanted that were pushed within so many days. One of which that is not known is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u32>, minimum = 1)]
    pub max_tag_age_days: Option<NonZeroU32>,
    /// Where the sensor finds the credential. This names a place on the sensor; it is never the credential.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(
        value_type = Option<String>, example = "file:/etc/portolan/gitlab",
        pattern = "^((file|kubernetes):/.*|env:[A-Za-z_][A-Za-z0-9_]*|docker-config(:/.*)?|(systemd|command):[A-Za-z0-9][A-Za-z0-9._-]*)$"
    )]
    pub credential_reference: Option<CredentialReference>,
    /// A credential that was sealed to its sensors, for that id. Not beside a reference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<SealedCredentialInput>,
    /// Requests in flight at most; 16 if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 64)]
    pub concurrency: Option<u16>,
    /// Requests begun per second at most; not bounded if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u16>, minimum = 1)]
    pub requests_per_second: Option<NonZeroU16>,
    /// Requests within any 24 hours at most, of all sensors together; not bounded if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u32>, minimum = 1)]
    pub requests_per_day: Option<NonZeroU32>,
    /// When it is read; by hand if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<ScheduleInput>,
}

impl CreateRegistry {
    pub(super) fn into_input(self) -> Result<RegistryInput, ApiError> {
        let sealed = self
            .credential
            .as_ref()
            .map(SealedCredentialInput::read)
            .transpose()?;
        Ok(RegistryInput {
            id: self.id,
            sealed,
            name: self.name,
            url: self.url,
            ca: CaTrust {
                bundle_pem: self.ca_bundle_pem,
                only_bundle: self.only_ca_bundle,
            },
            repositories: repository_patterns(self.repositories)?,
            tags: TagFilter {
                names: tag_patterns(self.tags)?,
                newest: self.newest_tags,
                max_age_days: self.max_tag_age_days,
            },
            credential: self.credential_reference,
            budget: Budget {
                concurrency: self.concurrency.unwrap_or(Budget::default().concurrency),
                per_second: self.requests_per_second,
                per_day: self.requests_per_day,
            },
            schedule: self.schedule.unwrap_or_default().into_schedule()?,
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
    /// New patterns of repositories; an empty list for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_items = 500)]
    pub repositories: Option<Vec<String>>,
    /// New patterns of tags; an empty list for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_items = 500)]
    pub tags: Option<Vec<String>>,
    /// New number of tags that are wanted, the newest; null for however many.
    #[serde(
        default,
        deserialize_with = "nullable",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<u32>, minimum = 1)]
    pub newest_tags: Option<Option<NonZeroU32>>,
    /// New age in days up to which tags are wanted; null for whatever age.
    #[serde(
        default,
        deserialize_with = "nullable",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<u32>, minimum = 1)]
    pub max_tag_age_days: Option<Option<NonZeroU32>>,
    /// New place of the credential on the sensor; null to read anonymously.
    #[serde(
        default,
        deserialize_with = "nullable",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(
        value_type = Option<String>,
        pattern = "^((file|kubernetes):/.*|env:[A-Za-z_][A-Za-z0-9_]*|docker-config(:/.*)?|(systemd|command):[A-Za-z0-9][A-Za-z0-9._-]*)$"
    )]
    pub credential_reference: Option<Option<CredentialReference>>,
    /// New bound of requests in flight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 64)]
    pub concurrency: Option<u16>,
    /// New bound of requests per second; null for none.
    #[serde(
        default,
        deserialize_with = "nullable",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<u16>, minimum = 1)]
    pub requests_per_second: Option<Option<NonZeroU16>>,
    /// New bound of requests within any 24 hours; null for none.
    #[serde(
        default,
        deserialize_with = "nullable",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<u32>, minimum = 1)]
    pub requests_per_day: Option<Option<NonZeroU32>>,
    /// New members of its schedule, which counts at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<ScheduleInput>,
}

impl ChangeRegistry {
    pub(super) fn into_patch(self) -> Result<RegistryPatch, ApiError> {
        Ok(RegistryPatch {
            name: self.name,
            url: self.url,
            ca_bundle_pem: self.ca_bundle_pem,
            only_ca_bundle: self.only_ca_bundle,
            repositories: self.repositories.map(repository_patterns).transpose()?,
            tags: self.tags.map(tag_patterns).transpose()?,
            newest_tags: self.newest_tags,
            max_tag_age_days: self.max_tag_age_days,
            credential: self.credential_reference,
            concurrency: self.concurrency,
            requests_per_second: self.requests_per_second,
            requests_per_day: self.requests_per_day,
            schedule: self.schedule.unwrap_or_default().into_patch()?,
            sensors: self.sensors,
        })
    }
}

fn repository_patterns(patterns: Vec<String>) -> Result<RepositoryPatterns, ApiError> {
    RepositoryPatterns::new(patterns).map_err(|error| ApiError::invalid("repositories", error))
}

fn tag_patterns(patterns: Vec<String>) -> Result<NamePatterns, ApiError> {
    NamePatterns::new(patterns).map_err(|error| ApiError::invalid("tags", error))
}
