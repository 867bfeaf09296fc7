//! Trying an endpoint out.

use portolan_shared::model::WebhookId;
use portolan_store::{FeedPosition, Role, WebhookAttempt, WebhookMessage};
use serde_json::json;

use super::attempt::Verdict;
use super::courier::Letter;
use crate::app::{App, AppError, Caller, CloudEvent};

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

impl App {
    /// Sends a message to a webhook at once, whatever state it is in, with one event of the type `io.portolan.webhook.test`, and says what came back.
    /// It is tried once, and changes nothing but the log. Takes an operator.
    pub async fn test_webhook(&self, caller: &Caller, name_or_id: &str) -> Result<Tested, AppError> {
        caller.require(Role::Operator)?;
        let record = self.webhook(caller, name_or_id).await?;
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
            id,
            body,
            changes: 0,
            ends: FeedPosition::default(),
        };
        let began = self.clock.uptime();
        let letter = Letter {
            test: true,
            ..self.letter(&record, &message, now)
        };
        let reply = self.courier.bring(letter).await;
        let took = self.clock.uptime().since(began);
        let verdict = Verdict::of(&reply);
        let attempt = WebhookAttempt {
            message: message.id,
            at: now,
            attempt: 1,
            changes: 0,
            status: verdict.status,
            failure: verdict.failure.map(str::to_owned),
            detail: verdict.detail,
            took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            test: true,
        };
        self.store
            .note_webhook_test(caller.tenant, record.id, &attempt)
            .await?;
        Ok(Tested {
            status: attempt.status,
            failure: attempt.failure,
            detail: attempt.detail,
            took_ms: attempt.took_ms,
        })
    }
}
