//! What messages to a webhook are signed with.

use jiff::Timestamp;
use portolan_store::WebhookRecord;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Webhook;
use crate::app::SigningKeys;

/// A webhook with all that is secret of it.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct WebhookKeys {
    /// The webhook.
    pub webhook: Webhook,
    /// Its whole URL.
    pub whole_url: String,
    /// What its messages are signed with, by the rules of Standard Webhooks: `whsec_…`. It stays the same until it is replaced.
    pub signing_key: String,
    /// The key before it, which signs too.
    pub previous_signing_key: Option<String>,
    /// Until then.
    pub previous_until: Option<Timestamp>,
}

impl WebhookKeys {
    pub(super) fn of((record, keys): (WebhookRecord, SigningKeys)) -> Self {
        let (previous, until) = keys.previous.unzip();
        Self {
            whole_url: record.url.expose().to_string(),
            webhook: Webhook::from(record),
            signing_key: keys.current.expose().to_owned(),
            previous_signing_key: previous.map(|key| key.expose().to_owned()),
            previous_until: until,
        }
    }
}
