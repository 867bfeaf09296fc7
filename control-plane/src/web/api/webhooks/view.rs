//! What a webhook looks like, and what one is made from.

use jiff::Timestamp;
use portolan_shared::model::{WebhookName, WebhookUrl};
use portolan_store::{WebhookRecord, WhyDisabled};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::WebhookInput;
use crate::web::api::ApiError;
use crate::web::api::body::nullable;

/// An endpoint that is told of changes. Without its secrets: what its URL has behind the host may be one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Webhook {
    /// Its id.
    #[schema(format = "uuid")]
    pub id: String,
    /// Its name.
    pub name: String,
    /// Where it leads, without what may be secret.
    #[schema(example = "https://hooks.example.com/…")]
    pub url: String,
    /// The registry of whose changes it is told, by name; null for all, or if that registry was removed.
    pub registry: Option<String>,
    /// The same by id; null for all.
    #[schema(format = "uuid")]
    pub registry_id: Option<String>,
    /// `active`, `paused` or `disabled`.
    pub state: String,
    /// Why it is disabled: `gone` (the endpoint answered 410), `undeliverable` (a message could not be delivered for a day), or `forgotten` (what it was
    /// not told of is not kept any more).
    pub why: Option<String>,
    /// Entries of the change feed that it has not been through, up to the last that may be for it.
    pub behind: u64,
    /// How often the present message was tried in vain.
    pub attempts: u32,
    /// Since when.
    pub failing_since: Option<Timestamp>,
    /// When it is tried again.
    pub next_try_at: Option<Timestamp>,
    /// When a message last arrived.
    pub last_success_at: Option<Timestamp>,
    /// When its signing key was made.
    pub signing_key_since: Timestamp,
    /// Who added it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
    /// When somebody last changed it.
    pub changed_at: Timestamp,
}

impl From<WebhookRecord> for Webhook {
    fn from(record: WebhookRecord) -> Self {
        let tries = record.tries;
        let is_active = record.state == portolan_store::WebhookState::Active;
        Self {
            id: record.id.to_string(),
            name: record.name.to_string(),
            url: record.url.to_string(),
            registry: record.registry_name.map(|name| name.to_string()),
            registry_id: record.registry.map(|id| id.to_string()),
            state: record.state.as_str().to_owned(),
            why: record.state.why().map(WhyDisabled::as_str).map(str::to_owned),
            behind: record.behind,
            attempts: tries.map_or(0, |tries| tries.attempts),
            failing_since: tries.map(|tries| tries.since),
            next_try_at: tries.filter(|_| is_active).map(|_| record.next_try_at),
            last_success_at: record.last_success_at,
            signing_key_since: record.secret_since,
            created_by: record.created_by,
            created_at: record.created_at,
            changed_at: record.changed_at,
        }
    }
}

/// A webhook to be added.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateWebhook {
    /// Its name; unique within the tenant.
    #[schema(min_length = 1, max_length = 63, pattern = "^[a-z0-9][a-z0-9._-]*$")]
    pub name: String,
    /// Where messages go: `https`, to an address of the Internet or one that the server's settings permit. Without a login: messages are
    /// signed. It is stored as it is.
    #[schema(max_length = 2048)]
    pub url: String,
    /// The registry of whose changes it is told, by name or id; of all if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registry: Option<String>,
}

/// What is to be changed in a webhook. Members that are not given stay.
#[derive(Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeWebhook {
    /// New name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 63, pattern = "^[a-z0-9][a-z0-9._-]*$")]
    pub name: Option<String>,
    /// New URL. The present message goes there at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 2048)]
    pub url: Option<String>,
    /// New registry, from the next message on; null for all.
    #[serde(
        default,
        deserialize_with = "nullable",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<String>)]
    pub registry: Option<Option<String>>,
}

impl CreateWebhook {
    pub(super) fn into_input(self) -> Result<WebhookInput, ApiError> {
        Ok(WebhookInput {
            name: Some(name(&self.name)?),
            url: Some(url(&self.url)?),
            registry: Some(self.registry),
        })
    }
}

impl ChangeWebhook {
    pub(super) fn into_input(self) -> Result<WebhookInput, ApiError> {
        Ok(WebhookInput {
            name: self.name.as_deref().map(name).transpose()?,
            url: self.url.as_deref().map(url).transpose()?,
            registry: self.registry,
        })
    }
}

fn name(text: &str) -> Result<WebhookName, ApiError> {
    text.parse().map_err(|error| ApiError::invalid("name", error))
}

fn url(text: &str) -> Result<WebhookUrl, ApiError> {
    text.parse().map_err(|error| ApiError::invalid("url", error))
}
