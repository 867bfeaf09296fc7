//! The one loop that delivers.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use jiff::{SignedDuration, Timestamp};
use portolan_shared::model::{WebhookId, limits};
use portolan_shared::process::Shutdown;
use portolan_store::{
    AuditEntry, AuditSeverity, DeliveryOutcome, DueWebhook, StoreError, WebhookAttempt, WebhookMessage,
    WebhookRecord, WhyDisabled,
};
use serde_json::json;

use super::attempt::{Times, Verdict, judge};
use super::courier::Letter;
use super::message::{Next, compose};
use super::secret::SigningKeys;
use super::slots::Slots;
use crate::app::{App, Meters};

/// Longest pause between two looks: another replica may have written something, or an attempt become due.
const LOOK: Duration = Duration::from_secs(1);
/// How long changes gather before they are looked at: many of a kind go with one message.
const GATHER: Duration = Duration::from_millis(50);
/// How long a webhook is held: longer than a courier needs, so that it ends only with its process.
const HOLD: SignedDuration = SignedDuration::from_secs(60);

/// How often those are looked after to which nothing is delivered.
const TEND: Duration = Duration::from_secs(60);

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
    slots: Slots,
    /// Something has ended since the last look, and there may be more.
    look_again: bool,
}

impl UnderWay<'_> {
    /// The next that ends; none if nothing is under way.
    async fn next(&mut self) -> Option<()> {
        let ended = self.work.next().await?;
        self.slots.free(ended.webhook);
        self.look_again |= ended.look_again;
        Some(())
    }

    /// Goes on with it until something else is done. Whatever is awaited beside it must be awaited so: what is under way holds connections to the
    /// database, of which there are few, and gives them back only if it goes on.
    async fn until<T>(&mut self, done: impl Future<Output = T>) -> T {
        tokio::pin!(done);
        loop {
            tokio::select! {
                done = &mut done => return done,
                Some(()) = self.next() => {}
            }
        }
    }
}

impl App {
    /// Delivers until draining begins; what is under way then may end until everything is cut.
    pub async fn deliver_webhooks(self: Arc<Self>, meters: Arc<Meters>, shutdown: Shutdown) {
        let mut holder = [0; 16];
        self.rng.fill(&mut holder);
        let mut under_way = UnderWay::default();
        let mut changes = self.signals.changes.subscribe();
        let mut tended = None;
        loop {
            let now = self.clock.uptime();
            if tended.is_none_or(|tended| now.since(tended) >= TEND) {
                under_way.until(self.tend_webhooks()).await;
                tended = Some(now);
            }
            tokio::select! {
                () = shutdown.draining() => break,
                () = std::future::ready(()), if under_way.look_again => {}
                Some(()) = under_way.next() => continue,
                () = tokio::time::sleep(LOOK) => {}
                _ = changes.changed() => under_way.until(tokio::time::sleep(GATHER)).await,
            }
            under_way.look_again = false;
            self.begin_deliveries(&meters, &mut under_way, holder).await;
        }
        tokio::select! {
            () = shutdown.cutting() => {}
            () = async { while under_way.next().await.is_some() {} } => return,
        }
        drop(under_way);
        if let Err(error) = self.store.release_webhooks(holder).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "webhooks stay held until their holds end"
            );
        }
    }

    /// Looks after those to which nothing is delivered.
    async fn tend_webhooks(&self) {
        let now = self.clock.now();
        let forget = |record: &WebhookRecord| Some(disabled(record, WhyDisabled::Forgotten, now));
        match self.store.tend_webhooks(&forget).await {
            Ok(tended) if tended.forgotten > 0 => {
                let webhooks = tended.forgotten;
                tracing::warn!(
                    webhooks,
                    "what paused webhooks were not told of is not kept any more; they are disabled"
                );
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(
                error = &error as &dyn std::error::Error,
                "webhooks to which nothing is delivered are not looked after"
            ),
        }
    }

    /// Begins what there is room for.
    async fn begin_deliveries<'a>(
        &'a self,
        meters: &'a Meters,
        under_way: &mut UnderWay<'a>,
        holder: [u8; 16],
    ) {
        let now = self.clock.uptime();
        let room = under_way.slots.room(now);
        // Some that are worked on are not held yet.
        let most = |room: usize| match room {
            0 => 0,
            room => u32::try_from(room + under_way.slots.taken()).unwrap_or(u32::MAX),
        };
        let (quick, slow) = (most(room.quick), most(room.slow));
        let due = self.store.due_webhooks(self.clock.now(), quick, slow);
        let due = under_way.until(due).await.unwrap_or_else(|error| {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "it is not known what is to be delivered"
            );
            Vec::new()
        });
        for webhook in due {
            let id = webhook.record.id;
            if !under_way.slots.take(id, webhook.record.tenant, webhook.slow, now) {
                continue;
            }
            under_way.work.push(Box::pin(async move {
                let done = self.deliver_one(meters, webhook, holder).await;
                let look_again = done.unwrap_or_else(|error| {
                    tracing::warn!(
                        webhook = %id,
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
    async fn deliver_one(
        &self,
        meters: &Meters,
        mut due: DueWebhook,
        holder: [u8; 16],
    ) -> Result<bool, StoreError> {
        let made = match due.message {
            Some(_) => None,
            None => match self.next_message(&due).await? {
                Some(Next::Message(message)) => Some(message),
                Some(Next::Nothing(to)) => {
                    if to <= due.record.position {
                        return Ok(false);
                    }
                    self.store.pass_webhook(&due, &to, self.clock.now()).await?;
                    return Ok(true);
                }
                None => return Ok(false),
            },
        };
        let Some(message) = made.as_ref().or(due.message.as_ref()) else {
            return Ok(false);
        };
        let now = self.clock.now();
        let hold = self
            .store
            .hold_webhook(&due, message, holder, now, now + HOLD)
            .await?;
        // What is on its way is in memory once.
        let (Some(hold), Some(message)) = (hold, made.or(due.message.take())) else {
            return Ok(false);
        };
        let record = &due.record;
        let (attempt, outcome) = self.attempt(record, message, now).await;
        let entry = match &outcome {
            DeliveryOutcome::Disabled { why, .. } => Some(disabled(record, *why, attempt.at)),
            DeliveryOutcome::Delivered | DeliveryOutcome::Again { .. } => None,
        };
        let counted = self
            .store
            .end_delivery(&hold, &attempt, &outcome, entry.as_ref())
            .await?;
        meters
            .webhook_deliveries
            .with_label_values(&[word(&outcome)])
            .inc();
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
        message: WebhookMessage,
        now: Timestamp,
    ) -> (WebhookAttempt, DeliveryOutcome) {
        let began = self.clock.uptime();
        let (id, changes) = (message.id.clone(), message.changes);
        let reply = self.courier.bring(self.letter(record, message, now)).await;
        let took = self.clock.uptime().since(began);
        let verdict = Verdict::of(&reply);
        let times = Times {
            planned: record.next_try_at,
            began: now,
            ended: self.clock.now(),
        };
        let outcome = judge(record.tries, &reply, times, self.rng.fraction());
        let attempt = WebhookAttempt {
            message: id,
            at: now,
            attempt: record.tries.map_or(0, |tries| tries.attempts).saturating_add(1),
            changes,
            status: verdict.status,
            failure: verdict.failure.map(str::to_owned),
            detail: verdict.detail,
            took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            test: false,
        };
        (attempt, outcome)
    }

    /// A message, signed at this time.
    pub(super) fn letter(&self, record: &WebhookRecord, message: WebhookMessage, now: Timestamp) -> Letter {
        let keys = SigningKeys::of(&self.pepper, record, now);
        Letter {
            url: record.url.clone(),
            timestamp: now.as_second(),
            signature: keys.sign(&message.id, now, &message.body),
            id: message.id,
            body: message.body,
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

/// What has become of a message, as a word for figures.
fn word(outcome: &DeliveryOutcome) -> &'static str {
    match outcome {
        DeliveryOutcome::Delivered => "delivered",
        DeliveryOutcome::Again { .. } => "again",
        DeliveryOutcome::Disabled { .. } => "disabled",
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
