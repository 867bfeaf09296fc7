//! Trying an endpoint out.

use std::sync::Arc;

use portolan_shared::model::{TenantId, WebhookId, limits};
use portolan_store::{AuditSeverity, FeedPosition, Role, WebhookAttempt, WebhookMessage, WebhookRecord};
use serde_json::json;
use tokio::sync::oneshot;

use super::attempt::Verdict;
use super::change::object;
use crate::app::{App, AppError, Caller, CloudEvent};
use crate::fair::Shares;

/// What came of a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tested {
    /// What was answered.
    pub status: Option<u16>,
    /// What failed, as a word; none if the endpoint took the message.
    pub failure: Option<String>,
    /// The same for people.
    pub detail: Option<String>,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

/// The tests that are under way: of each tenant at most [`limits::WEBHOOK_TESTS_PER_TENANT`].
#[derive(Debug)]
pub struct WebhookTests(Arc<Shares<TenantId>>);

impl Default for WebhookTests {
    fn default() -> Self {
        let most = limits::WEBHOOK_TESTS_PER_TENANT;
        Self(Shares::new(most, most))
    }
}

impl App {
    /// Sends a message to a webhook at once, whatever state it is in, with one event of the type `io.portolan.webhook.test`, and says what came back.
    /// It is tried once, and changes nothing but the logs, in which it stands also if nobody waits for what comes of it. Takes an operator.
    ///
    /// # Errors
    /// [`AppError::TooManyTests`] while as many of the tenant are under way as may be: then nothing is sent.
    pub async fn test_webhook(
        self: &Arc<Self>,
        caller: &Caller,
        name_or_id: &str,
    ) -> Result<Tested, AppError> {
        caller.require(Role::Operator)?;
        let record = self.webhook(caller, name_or_id).await?;
        let place = self.webhook_tests.0.enter(caller.tenant);
        let place = place.ok_or(AppError::TooManyTests {
            most: limits::WEBHOOK_TESTS_PER_TENANT,
        })?;
        let (tell, told) = oneshot::channel();
        let (app, caller) = (Arc::clone(self), caller.clone());
        let shutdown = self.tasks.shutdown().clone();
        self.tasks.spawn("webhook test", async move {
            tokio::select! {
                () = shutdown.cutting() => {}
                tested = app.carry_out_test(&caller, &record) => {
                    if let Err(Err(error)) = tell.send(tested) {
                        tracing::warn!(
                            webhook = %record.id,
                            error = &error as &dyn std::error::Error,
                            "what came of a test could not be kept"
                        );
                    }
                }
            }
            drop(place);
        });
        told.await
            .unwrap_or_else(|_| Err(AppError::Internal("the control plane stops".into())))
    }

    async fn carry_out_test(&self, caller: &Caller, record: &WebhookRecord) -> Result<Tested, AppError> {
        let now = self.clock.now();
        let id = format!("test_{}", WebhookId::random(&*self.rng));
        let event = CloudEvent {
            specversion: "1.0".to_owned(),
            kind: "io.portolan.webhook.test".to_owned(),
            source: format!("/webhooks/{}", record.id),
            id: id.clone(),
            time: now,
            subject: Some(record.name.to_string()),
            datacontenttype: "application/json".to_owned(),
            data: json!({"webhook": {"id": record.id, "name": record.name}, "sent_by": caller.actor()}),
        };
        let body = serde_json::to_vec(&[event]).map_err(|error| AppError::Internal(Box::new(error)))?;
        let message = WebhookMessage {
            id: id.clone(),
            body,
            changes: 0,
            ends: FeedPosition::default(),
        };
        let began = self.clock.uptime();
        let reply = self.courier.bring(self.letter(record, message, now)).await;
        let took = self.clock.uptime().since(began);
        let verdict = Verdict::of(&reply);
        let attempt = WebhookAttempt {
            message: id,
            at: now,
            attempt: 1,
            changes: 0,
            status: verdict.status,
            failure: verdict.failure.map(str::to_owned),
            detail: verdict.detail,
            took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            test: true,
        };
        let details = json!({
            "name": record.name, "url": record.url.to_string(), "status": attempt.status, "failure": attempt.failure,
        });
        let entry = caller.entry(
            now,
            "webhook.test",
            object(record.id),
            AuditSeverity::Notice,
            details,
        );
        self.store
            .note_webhook_test(caller.tenant, record.id, &attempt, &entry)
            .await?;
        Ok(Tested {
            status: attempt.status,
            failure: attempt.failure,
            detail: attempt.detail,
            took_ms: attempt.took_ms,
        })
    }
}
