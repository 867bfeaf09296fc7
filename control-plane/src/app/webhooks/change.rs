//! Adding webhooks, changing and removing them.

use portolan_shared::model::{WebhookId, WebhookUrl};
use portolan_store::{
    AuditEntry, AuditSeverity, NewWebhook, Role, WebhookChange, WebhookRecord, WebhookState, WhyDisabled,
};
use serde_json::json;

use super::find::WebhookInput;
use super::secret::SigningKeys;
use crate::app::{App, AppError, Caller};

impl App {
    /// Adds a webhook, which is told of what changes from now on. Takes an operator.
    ///
    /// # Errors
    /// [`AppError::Taken`] if the name is, [`AppError::UnknownReference`] for a registry that does not exist, [`AppError::Invalid`] for a URL that
    /// may not be contacted, or if there are as many as may be.
    pub async fn add_webhook(
        &self,
        caller: &Caller,
        input: WebhookInput,
    ) -> Result<(WebhookRecord, SigningKeys), AppError> {
        caller.require(Role::Operator)?;
        let missing = |field| AppError::invalid(field, "is missing");
        let url = input.url.ok_or_else(|| missing("url"))?;
        self.check_url(&url)?;
        let webhook = NewWebhook {
            id: WebhookId::generate(&*self.clock, &*self.rng),
            tenant: caller.tenant,
            name: input.name.ok_or_else(|| missing("name"))?,
            url,
            registry: self.told_of(caller, input.registry.flatten().as_deref()).await?,
            position: self.store.feed_end(caller.tenant).await?,
            created_by: caller.actor(),
            now: self.clock.now(),
        };
        let details = json!({
            "name": webhook.name, "url": webhook.url.to_string(), "registry": webhook.registry,
        });
        let entry = caller.entry(
            webhook.now,
            "webhook.add",
            object(webhook.id),
            AuditSeverity::Notice,
            details,
        );
        self.store.add_webhook(&webhook, &entry).await?;
        let record = self.webhook(caller, &webhook.id.to_string()).await?;
        let keys = SigningKeys::of(&self.pepper, &record, webhook.now);
        Ok((record, keys))
    }

    /// Changes a webhook. A message that is on its way goes on, to the new URL if there is one. Takes an operator.
    ///
    /// # Errors
    /// As [`App::add_webhook`].
    pub async fn change_webhook(
        &self,
        caller: &Caller,
        name_or_id: &str,
        input: WebhookInput,
    ) -> Result<WebhookRecord, AppError> {
        caller.require(Role::Operator)?;
        let current = self.webhook(caller, name_or_id).await?;
        if input.name.is_none() && input.url.is_none() && input.registry.is_none() {
            return Ok(current);
        }
        if let Some(url) = &input.url {
            self.check_url(url)?;
        }
        let registry = match &input.registry {
            None => None,
            Some(named) => Some(self.told_of(caller, named.as_deref()).await?),
        };
        let change = WebhookChange {
            name: input.name,
            url: input.url,
            registry,
            ..WebhookChange::default()
        };
        self.apply_to_webhook(caller, &current, &change, "webhook.change")
            .await
    }

    /// Holds a webhook back. Nothing is lost meanwhile but what the retention of history forgets. Takes an operator.
    pub async fn pause_webhook(&self, caller: &Caller, name_or_id: &str) -> Result<WebhookRecord, AppError> {
        caller.require(Role::Operator)?;
        let current = self.webhook(caller, name_or_id).await?;
        if current.state == WebhookState::Paused {
            return Ok(current);
        }
        let change = WebhookChange {
            paused: Some(true),
            ..WebhookChange::default()
        };
        self.apply_to_webhook(caller, &current, &change, "webhook.pause")
            .await
    }

    /// Lets a webhook that was paused or disabled go on from where it is; with `skip`, from now. Takes an operator.
    ///
    /// # Errors
    /// [`AppError::WebhookForgotten`] if what it was not told of is not kept any more, and `skip` is not given.
    pub async fn resume_webhook(
        &self,
        caller: &Caller,
        name_or_id: &str,
        skip: bool,
    ) -> Result<WebhookRecord, AppError> {
        caller.require(Role::Operator)?;
        let current = self.webhook(caller, name_or_id).await?;
        if current.state == WebhookState::Disabled(WhyDisabled::Forgotten) && !skip {
            return Err(AppError::WebhookForgotten {
                webhook: current.name.to_string(),
            });
        }
        if current.state == WebhookState::Active && !skip {
            return Ok(current);
        }
        let position = match skip {
            true => Some(self.store.feed_end(caller.tenant).await?),
            false => None,
        };
        let change = WebhookChange {
            paused: Some(false),
            position,
            ..WebhookChange::default()
        };
        let resumed = self
            .apply_to_webhook(caller, &current, &change, "webhook.resume")
            .await?;
        self.signals.changes.send_modify(|count| *count += 1);
        Ok(resumed)
    }

    /// Replaces a webhook's secret; the one before, and no other, signs too for a day. Takes an operator.
    pub async fn rotate_webhook(
        &self,
        caller: &Caller,
        name_or_id: &str,
    ) -> Result<(WebhookRecord, SigningKeys), AppError> {
        caller.require(Role::Operator)?;
        let current = self.webhook(caller, name_or_id).await?;
        let change = WebhookChange {
            rotate: true,
            ..WebhookChange::default()
        };
        let record = self
            .apply_to_webhook(caller, &current, &change, "webhook.rotate")
            .await?;
        let keys = SigningKeys::of(&self.pepper, &record, self.clock.now());
        Ok((record, keys))
    }

    /// Removes a webhook with its log. Takes an operator.
    pub async fn remove_webhook(&self, caller: &Caller, name_or_id: &str) -> Result<(), AppError> {
        caller.require(Role::Operator)?;
        let current = self.webhook(caller, name_or_id).await?;
        let details = json!({"name": current.name, "url": current.url.to_string()});
        let entry = caller.entry(
            self.clock.now(),
            "webhook.remove",
            object(current.id),
            AuditSeverity::Notice,
            details,
        );
        if self
            .store
            .remove_webhook(caller.tenant, current.id, &entry)
            .await?
        {
            Ok(())
        } else {
            Err(AppError::not_found("webhook", name_or_id))
        }
    }

    async fn apply_to_webhook(
        &self,
        caller: &Caller,
        current: &WebhookRecord,
        change: &WebhookChange,
        action: &str,
    ) -> Result<WebhookRecord, AppError> {
        let at = self.clock.now();
        let fields: Vec<&str> = [
            ("name", change.name.is_some()),
            ("url", change.url.is_some()),
            ("registry", change.registry.is_some()),
            ("position", change.position.is_some()),
        ]
        .into_iter()
        .filter_map(|(field, changed)| changed.then_some(field))
        .collect();
        let note = |changed: &WebhookRecord| -> Option<AuditEntry> {
            let details = json!({
                "name": changed.name, "url": changed.url.to_string(), "fields": fields, "key": changed.secret_no,
            });
            Some(caller.entry(at, action, object(changed.id), AuditSeverity::Notice, details))
        };
        self.store
            .change_webhook(caller.tenant, current.id, change, at, &note)
            .await?
            .ok_or_else(|| AppError::not_found("webhook", &current.name))
    }

    /// Whether the URL may be contacted, as far as can be told now: what its name resolves to is looked at before each attempt.
    fn check_url(&self, url: &WebhookUrl) -> Result<(), AppError> {
        self.courier
            .judge(url)
            .map_err(|why| AppError::invalid("url", why))
    }
}

pub(super) fn object(id: WebhookId) -> String {
    format!("webhook:{id}")
}
