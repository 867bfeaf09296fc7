//! The one loop that delivers.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use jiff::{SignedDuration, Timestamp};
use portolan_shared::model::{TenantId, WebhookId, limits};
use portolan_shared::process::Shutdown;
use portolan_store::{
    AuditEntry, AuditSeverity, DeliveryOutcome, DueWebhook, StoreError, WebhookAttempt, WebhookMessage,
    WebhookRecord, WhyDisabled,
};
use serde_json::json;

use super::attempt::{Verdict, judge};
use super::courier::Letter;
use super::message::{Next, compose};
use super::secret::SigningKeys;
use crate::app::App;

/// Longest pause between two looks: another replica may have written something, or an attempt become due.
const LOOK: Duration = Duration::from_secs(1);
/// How long changes gather before they are looked at: many of a kind go with one message.
const GATHER: Duration = Duration::from_millis(50);
/// How long a webhook is held: longer than a courier needs, so that it ends only with its process.
const HOLD: SignedDuration = SignedDuration::from_secs(60);

/// How the work on one webhook ended.
struct Ended {
    webhook: WebhookId,
    /// Whether there may be more for it, or for whoever waits for the slot.
    look_again: bool,
}

/// What is being worked on.
#[derive(Default)]
struct UnderWay<'a> {
    work: FuturesUnordered<BoxFuture<'a, Ended>>,
    /// Whose each is, and whether it was tried before.
    webhooks: HashMap<WebhookId, (TenantId, bool)>,
}

impl UnderWay<'_> {
    /// How many may be begun: of those that were not tried yet, and of those that were.
    fn room(&self) -> (usize, usize) {
        let again = self.webhooks.values().filter(|(_, again)| *again).count();
        let free = limits::DELIVERIES_AT_ONCE.saturating_sub(self.webhooks.len());
        (
            free,
            limits::REPEATED_DELIVERIES_AT_ONCE
                .saturating_sub(again)
                .min(free),
        )
    }

    /// Whether this one may be begun. Neither endpoints that take nothing nor one tenant ever have all slots.
    fn may_begin(&self, webhook: WebhookId, tenant: TenantId, tried: bool) -> bool {
        let (fresh, again) = self.room();
        let room = if tried { again } else { fresh };
        let of_tenant = self.webhooks.values().filter(|(whose, _)| *whose == tenant);
        room > 0 && of_tenant.count() < limits::DELIVERIES_PER_TENANT && !self.webhooks.contains_key(&webhook)
    }
}

impl App {
    /// Delivers until draining begins; what is under way then may end until everything is cut.
    pub async fn deliver_webhooks(self: Arc<Self>, shutdown: Shutdown) {
        let mut holder = [0; 16];
        self.rng.fill(&mut holder);
        let mut under_way = UnderWay::default();
        let mut changes = self.signals.changes.subscribe();
        loop {
            tokio::select! {
                () = shutdown.draining() => break,
                Some(ended) = under_way.work.next() => {
                    under_way.webhooks.remove(&ended.webhook);
                    if !ended.look_again {
                        continue;
                    }
                }
                () = tokio::time::sleep(LOOK) => {}
                _ = changes.changed() => gather(&mut under_way).await,
            }
            self.begin_deliveries(&mut under_way, holder).await;
        }
        tokio::select! {
            () = shutdown.cutting() => {}
            () = async { while under_way.work.next().await.is_some() {} } => return,
        }
        drop(under_way);
        if let Err(error) = self.store.release_webhooks(holder).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "webhooks stay held until their holds end"
            );
        }
    }

    /// Begins what there is room for.
    async fn begin_deliveries<'a>(&'a self, under_way: &mut UnderWay<'a>, holder: [u8; 16]) {
        let (fresh, again) = under_way.room();
        if fresh == 0 {
            return;
        }
        // Some that are worked on are not held yet.
        let most = |room: usize| u32::try_from(room + under_way.webhooks.len()).unwrap_or(u32::MAX);
        let due = self
            .store
            .due_webhooks(self.clock.now(), most(fresh), most(again))
            .await;
        let due = due.unwrap_or_else(|error| {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "it is not known what is to be delivered"
            );
            Vec::new()
        });
        for webhook in due {
            let (id, tried) = (webhook.record.id, webhook.record.tries.is_some());
            if !under_way.may_begin(id, webhook.record.tenant, tried) {
                continue;
            }
            under_way.webhooks.insert(id, (webhook.record.tenant, tried));
            under_way.work.push(Box::pin(async move {
                let done = self.deliver_one(&webhook, holder).await;
                let look_again = done.unwrap_or_else(|error| {
                    tracing::warn!(
                        webhook = %webhook.record.id,
                        error = &error as &dyn std::error::Error,
                        "a delivery could not be carried out or noted"
                    );
                    false
                });
                Ended {
                    webhook: id,
                    look_again,
                }
            }));
        }
    }

    /// Brings a webhook one message further. Gives whether it is worth a look whether there is more.
    pub(super) async fn deliver_one(&self, due: &DueWebhook, holder: [u8; 16]) -> Result<bool, StoreError> {
        let record = &due.record;
        let made;
        let message = match &due.message {
            Some(message) => message,
            None => match self.next_message(due).await? {
                Some(Next::Message(message)) => {
                    made = message;
                    &made
                }
                Some(Next::Nothing(to)) => {
                    if to <= record.position {
                        return Ok(false);
                    }
                    self.store.pass_webhook(due, &to).await?;
                    return Ok(true);
                }
                None => return Ok(false),
            },
        };
        let now = self.clock.now();
        let hold = self
            .store
            .hold_webhook(due, message, holder, now, now + HOLD)
            .await?;
        let Some(hold) = hold else { return Ok(false) };
        let (attempt, outcome) = self.attempt(record, message, now).await;
        let entry = match &outcome {
            DeliveryOutcome::Disabled { why, .. } => Some(disabled(record, *why, attempt.at)),
            DeliveryOutcome::Delivered | DeliveryOutcome::Again { .. } => None,
        };
        let counted = self
            .store
            .end_delivery(&hold, &attempt, &outcome, entry.as_ref())
            .await?;
        tell(record, &attempt, &outcome, counted);
        Ok(true)
    }

    /// What follows for it; none if it cannot go on, and is disabled.
    async fn next_message(&self, due: &DueWebhook) -> Result<Option<Next>, StoreError> {
        let record = &due.record;
        let changes = self
            .store
            .changes(
                record.tenant,
                record.registry,
                &record.position,
                limits::MESSAGE_CHANGES,
            )
            .await?;
        match changes {
            Some(changes) => Ok(Some(compose(record.id, &record.position, &changes))),
            None => {
                let why = WhyDisabled::Forgotten;
                let entry = disabled(record, why, self.clock.now());
                if self.store.disable_webhook(due, why, &entry).await? {
                    tracing::warn!(webhook = %record.id, url = %record.url, why = why.as_str(), "a webhook is disabled");
                }
                Ok(None)
            }
        }
    }

    async fn attempt(
        &self,
        record: &WebhookRecord,
        message: &WebhookMessage,
        now: Timestamp,
    ) -> (WebhookAttempt, DeliveryOutcome) {
        let began = self.clock.uptime();
        let reply = self.courier.bring(self.letter(record, message, now)).await;
        let took = self.clock.uptime().since(began);
        let verdict = Verdict::of(&reply);
        let outcome = judge(record.tries, &reply, (now, self.clock.now()), self.rng.fraction());
        let attempt = WebhookAttempt {
            message: message.id.clone(),
            at: now,
            attempt: record.tries.map_or(0, |tries| tries.attempts).saturating_add(1),
            changes: message.changes,
            status: verdict.status,
            failure: verdict.failure.map(str::to_owned),
            detail: verdict.detail,
            took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            test: false,
        };
        (attempt, outcome)
    }

    /// A message, signed at this time.
    pub(super) fn letter(&self, record: &WebhookRecord, message: &WebhookMessage, now: Timestamp) -> Letter {
        let keys = SigningKeys::of(&self.pepper, record, now);
        Letter {
            url: record.url.clone(),
            id: message.id.clone(),
            timestamp: now.as_second(),
            signature: keys.sign(&message.id, now, &message.body),
            body: message.body.clone(),
            test: false,
        }
    }
}

/// Lets changes gather for a moment, during which what is under way goes on.
async fn gather(under_way: &mut UnderWay<'_>) {
    let over = tokio::time::sleep(GATHER);
    tokio::pin!(over);
    loop {
        tokio::select! {
            () = &mut over => return,
            Some(ended) = under_way.work.next() => {
                under_way.webhooks.remove(&ended.webhook);
            }
        }
    }
}

fn disabled(record: &WebhookRecord, why: WhyDisabled, at: Timestamp) -> AuditEntry {
    AuditEntry {
        at,
        actor: "system".to_owned(),
        action: "webhook.disable".to_owned(),
        object: format!("webhook:{}", record.id),
        severity: AuditSeverity::Notice,
        details: json!({"name": record.name, "url": record.url.to_string(), "why": why.as_str()}),
    }
}

fn tell(record: &WebhookRecord, attempt: &WebhookAttempt, outcome: &DeliveryOutcome, counted: bool) {
    let (webhook, url, message) = (record.id, &record.url, &attempt.message);
    let (status, failure, tries) = (attempt.status, attempt.failure.as_deref(), attempt.attempt);
    match outcome {
        _ if !counted => {
            tracing::info!(%webhook, message, "a webhook was changed while a message was on its way to it");
        }
        DeliveryOutcome::Delivered => {
            tracing::debug!(%webhook, message, changes = attempt.changes, "delivered");
        }
        DeliveryOutcome::Again { at, .. } => {
            tracing::info!(%webhook, %url, message, status, failure, tries, %at, "not delivered; it is tried again");
        }
        DeliveryOutcome::Disabled { why, .. } => {
            let why = why.as_str();
            tracing::warn!(%webhook, %url, message, status, failure, tries, why, "a webhook is disabled");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use portolan_shared::process::SeededRng;

    /// Begins as many as may be, of this tenant.
    fn begin(under_way: &mut UnderWay<'_>, rng: &SeededRng, tenant: TenantId, tried: bool) -> usize {
        let mut begun = 0;
        loop {
            let webhook = WebhookId::random(rng);
            if !under_way.may_begin(webhook, tenant, tried) {
                return begun;
            }
            under_way.webhooks.insert(webhook, (tenant, tried));
            assert!(!under_way.may_begin(webhook, tenant, tried), "one at a time");
            begun += 1;
        }
    }

    #[test]
    fn neither_dead_endpoints_nor_one_tenant_have_all_slots() {
        let rng = SeededRng::new(1);
        let [one, two, three] = [(); 3].map(|()| TenantId::random(&rng));
        let mut under_way = UnderWay::default();
        assert_eq!(
            begin(&mut under_way, &rng, one, true),
            limits::REPEATED_DELIVERIES_AT_ONCE
        );
        assert_eq!(begin(&mut under_way, &rng, two, true), 0);
        let left = limits::DELIVERIES_PER_TENANT - limits::REPEATED_DELIVERIES_AT_ONCE;
        assert_eq!(begin(&mut under_way, &rng, one, false), left);
        let left = limits::DELIVERIES_AT_ONCE - limits::DELIVERIES_PER_TENANT;
        assert_eq!(begin(&mut under_way, &rng, two, false), left);
        assert_eq!(begin(&mut under_way, &rng, three, false), 0, "all are taken");
    }
}
