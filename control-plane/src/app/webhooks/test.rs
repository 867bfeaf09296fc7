//! Trying an endpoint out.

use std::sync::Arc;

use portolan_shared::model::{TenantId, WebhookId, limits};
use portolan_store::{AuditSeverity, FeedPosition, Role, WebhookAttempt, WebhookMessage, WebhookRecord};
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::attempt::Verdict;
use super::change::object;
use crate::app::{App, AppError, Caller, CloudEvent};
use crate::fair::{Place, Shares};

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

/// The tests that are under way: of each tenant at most [`limits::WEBHOOK_TESTS_PER_TENANT`], of all at most [`limits::WEBHOOK_TESTS`].
#[derive(Debug)]
pub struct WebhookTests {
    of_tenant: Arc<Shares<TenantId>>,
    of_all: Arc<Semaphore>,
}

/// The place of one that is under way; free again when it is dropped.
#[derive(Debug)]
struct TestPlace {
    _of_tenant: Place<TenantId>,
    _of_all: OwnedSemaphorePermit,
}

impl Default for WebhookTests {
    fn default() -> Self {
        let most = limits::WEBHOOK_TESTS_PER_TENANT;
        Self {
            of_tenant: Shares::new(most, most),
            of_all: Arc::new(Semaphore::new(limits::WEBHOOK_TESTS)),
        }
    }
}

impl WebhookTests {
    /// A place for one more.
    ///
    /// # Errors
    /// [`AppError::TooManyTests`] if as many are under way as may be, of the tenant or of all.
    fn enter(&self, tenant: TenantId) -> Result<TestPlace, AppError> {
        let full = |most| AppError::TooManyTests { most };
        let of_tenant = self.of_tenant.enter(tenant);
        let of_tenant = of_tenant.ok_or_else(|| full(limits::WEBHOOK_TESTS_PER_TENANT))?;
        let of_all = Arc::clone(&self.of_all).try_acquire_owned();
        Ok(TestPlace {
            _of_tenant: of_tenant,
            _of_all: of_all.map_err(|_| full(limits::WEBHOOK_TESTS))?,
        })
    }
}

impl App {
    /// Sends a message to a webhook at once, whatever state it is in, with one event of the type `io.portolan.webhook.test`, and says what came back.
    /// It is tried once, and changes nothing but the logs, in which it stands also if nobody waits for what comes of it. Takes an operator.
    ///
    /// # Errors
    /// [`AppError::TooManyTests`] while as many are under way as may be, of the tenant or of all: then nothing is sent.
    pub async fn test_webhook(
        self: &Arc<Self>,
        caller: &Caller,
        name_or_id: &str,
    ) -> Result<Tested, AppError> {
        caller.require(Role::Operator)?;
        let record = self.webhook(caller, name_or_id).await?;
        let place = self.webhook_tests.enter(caller.tenant)?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use portolan_shared::process::SeededRng;

    #[test]
    fn tests_have_their_bounds_of_a_tenant_and_of_all() {
        let (tests, rng) = (WebhookTests::default(), SeededRng::new(1));
        let mut places = Vec::new();
        while places.len() < limits::WEBHOOK_TESTS {
            let tenant = TenantId::random(&rng);
            places.extend((0..limits::WEBHOOK_TESTS_PER_TENANT).map(|_| tests.enter(tenant).unwrap()));
            let refused = tests.enter(tenant).unwrap_err();
            assert!(
                matches!(refused, AppError::TooManyTests { most } if most == limits::WEBHOOK_TESTS_PER_TENANT)
            );
        }
        let another = TenantId::random(&rng);
        let refused = tests.enter(another).unwrap_err();
        assert!(matches!(refused, AppError::TooManyTests { most } if most == limits::WEBHOOK_TESTS));
        places.pop();
        assert!(
            tests.enter(another).is_ok(),
            "it keeps no place of what it was refused"
        );
    }
}
