//! The trait's methods.

use async_trait::async_trait;
use jiff::Timestamp;
use portolan_shared::model::{TenantId, WebhookId, WebhookName};

use super::super::SqliteStore;
use super::{change, deliver, due, log, records, tend};
use crate::{
    AuditEntry, DeliveryOutcome, DueWebhook, EntryFor, FeedPosition, NewWebhook, Page, PageRequest,
    StoreError, TendedWebhooks, WebhookAttempt, WebhookChange, WebhookFigures, WebhookHold, WebhookMessage,
    WebhookRecord, Webhooks, WhyDisabled,
};

#[async_trait]
impl Webhooks for SqliteStore {
    async fn add_webhook(&self, webhook: &NewWebhook, entry: &AuditEntry) -> Result<(), StoreError> {
        change::add(self, webhook, entry).await
    }

    async fn webhook(&self, tenant: TenantId, id: WebhookId) -> Result<Option<WebhookRecord>, StoreError> {
        records::by_id(self.reader(), tenant, id).await
    }

    async fn webhook_by_name(
        &self,
        tenant: TenantId,
        name: &WebhookName,
    ) -> Result<Option<WebhookRecord>, StoreError> {
        records::by_name(self, tenant, name).await
    }

    async fn webhooks(
        &self,
        tenant: TenantId,
        page: &PageRequest,
    ) -> Result<Page<WebhookRecord>, StoreError> {
        records::list(self, tenant, page).await
    }

    async fn change_webhook(
        &self,
        tenant: TenantId,
        id: WebhookId,
        wanted: &WebhookChange,
        now: Timestamp,
        entry: EntryFor<'_, WebhookRecord>,
    ) -> Result<Option<WebhookRecord>, StoreError> {
        change::change(self, tenant, id, wanted, now, entry).await
    }

    async fn remove_webhook(
        &self,
        tenant: TenantId,
        id: WebhookId,
        entry: &AuditEntry,
    ) -> Result<bool, StoreError> {
        change::remove(self, tenant, id, entry).await
    }

    async fn webhook_deliveries(
        &self,
        tenant: TenantId,
        id: WebhookId,
        page: &PageRequest,
    ) -> Result<Page<WebhookAttempt>, StoreError> {
        log::list(self, tenant, id, page).await
    }

    async fn note_webhook_test(
        &self,
        tenant: TenantId,
        id: WebhookId,
        delivery: &WebhookAttempt,
        entry: &AuditEntry,
    ) -> Result<(), StoreError> {
        log::note_test(self, tenant, id, delivery, entry).await
    }

    async fn due_webhooks(
        &self,
        now: Timestamp,
        quick: u32,
        slow: u32,
    ) -> Result<Vec<DueWebhook>, StoreError> {
        due::due(self, now, quick, slow).await
    }

    async fn pass_webhook(
        &self,
        due: &DueWebhook,
        to: &FeedPosition,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        deliver::pass(self, due, to, now).await
    }

    async fn tend_webhooks(&self, entry: EntryFor<'_, WebhookRecord>) -> Result<TendedWebhooks, StoreError> {
        tend::tend(self, entry).await
    }

    async fn webhook_figures(&self) -> Result<WebhookFigures, StoreError> {
        tend::figures(self).await
    }

    async fn hold_webhook(
        &self,
        due: &DueWebhook,
        message: &WebhookMessage,
        holder: [u8; 16],
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<WebhookHold>, StoreError> {
        deliver::hold(self, due, message, holder, (now, until)).await
    }

    async fn end_delivery(
        &self,
        hold: &WebhookHold,
        delivery: &WebhookAttempt,
        outcome: &DeliveryOutcome,
        entry: Option<&AuditEntry>,
    ) -> Result<bool, StoreError> {
        deliver::end(self, hold, delivery, outcome, entry).await
    }

    async fn disable_webhook(
        &self,
        due: &DueWebhook,
        why: WhyDisabled,
        entry: &AuditEntry,
    ) -> Result<bool, StoreError> {
        deliver::disable(self, due, why, entry).await
    }

    async fn release_webhooks(&self, holder: [u8; 16]) -> Result<(), StoreError> {
        deliver::release(self, holder).await
    }
}
