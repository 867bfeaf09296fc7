//! Webhooks by name or id, what is known of them, and what people say of one.

use portolan_shared::model::{RegistryId, WebhookId, WebhookName, WebhookUrl};
use portolan_store::{AuditSeverity, Page, PageRequest, Role, WebhookAttempt, WebhookRecord};
use serde_json::json;

use super::change::object;
use super::secret::SigningKeys;
use crate::app::{App, AppError, Caller};

/// What somebody says of a webhook. What is none stays, or has its default.
#[derive(Debug, Clone, Default)]
pub struct WebhookInput {
    /// Its name.
    pub name: Option<WebhookName>,
    /// Where messages go.
    pub url: Option<WebhookUrl>,
    /// Of which registry it is told, by name or id; none within: of all.
    pub registry: Option<Option<String>>,
}

impl App {
    /// The tenant's webhooks, by name.
    pub async fn webhooks(
        &self,
        caller: &Caller,
        page: &PageRequest,
    ) -> Result<Page<WebhookRecord>, AppError> {
        caller.require(Role::Viewer)?;
        Ok(self.store.webhooks(caller.tenant, page).await?)
    }

    /// One webhook, by name or id.
    pub async fn webhook(&self, caller: &Caller, name_or_id: &str) -> Result<WebhookRecord, AppError> {
        caller.require(Role::Viewer)?;
        if let Ok(id) = name_or_id.parse::<WebhookId>()
            && let Some(webhook) = self.store.webhook(caller.tenant, id).await?
        {
            return Ok(webhook);
        }
        // What cannot be a name does not exist.
        let found = match name_or_id.parse::<WebhookName>() {
            Ok(name) => self.store.webhook_by_name(caller.tenant, &name).await?,
            Err(_) => None,
        };
        found.ok_or_else(|| AppError::not_found("webhook", name_or_id))
    }

    /// Its last attempts and tests, newest first.
    pub async fn webhook_deliveries(
        &self,
        caller: &Caller,
        name_or_id: &str,
        page: &PageRequest,
    ) -> Result<Page<WebhookAttempt>, AppError> {
        let record = self.webhook(caller, name_or_id).await?;
        let deliveries = self.store.webhook_deliveries(caller.tenant, record.id, page);
        Ok(deliveries.await?)
    }

    /// What its messages are signed with, and its whole URL, which the audit log says that somebody has seen. Takes an operator.
    pub async fn webhook_keys(
        &self,
        caller: &Caller,
        name_or_id: &str,
    ) -> Result<(WebhookRecord, SigningKeys), AppError> {
        caller.require(Role::Operator)?;
        let record = self.webhook(caller, name_or_id).await?;
        let now = self.clock.now();
        let entry = caller.entry(
            now,
            "webhook.show_keys",
            object(record.id),
            AuditSeverity::Notice,
            json!({"name": record.name, "url": record.url.to_string()}),
        );
        self.store.append_audit(caller.tenant, &entry).await?;
        let keys = SigningKeys::of(&self.pepper, &record, now);
        Ok((record, keys))
    }

    /// The registry that somebody names, for a webhook to be told of.
    pub(super) async fn told_of(
        &self,
        caller: &Caller,
        named: Option<&str>,
    ) -> Result<Option<RegistryId>, AppError> {
        let Some(name) = named else { return Ok(None) };
        let unknown = || AppError::UnknownReference {
            what: "registry",
            name: name.to_owned(),
        };
        let found = self.find_registry(caller, name).await?;
        found.map(|record| Some(record.registry.id)).ok_or_else(unknown)
    }
}
