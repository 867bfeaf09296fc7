//! What came of an attempt.

use jiff::Timestamp;
use portolan_store::WebhookAttempt;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::Tested;

/// One attempt to deliver a message, or a test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Delivery)]
pub struct DeliveryView {
    /// The `webhook-id` of the message: the same for each attempt.
    pub message: String,
    /// When it began.
    pub at: Timestamp,
    /// Which attempt of this message, from 1.
    pub attempt: u32,
    /// How many changes it had.
    pub changes: u32,
    /// The status that was answered; null if there was no answer.
    pub status: Option<u16>,
    /// What failed; null if the message arrived. `forbidden`, `dns` (the name leads to no address that may be contacted), `connect`, `certificate`, `tls`, `timeout`, `protocol`, `redirect`, `gone` or
    /// `status`.
    pub failure: Option<String>,
    /// The same for people.
    pub detail: Option<String>,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// Whether it was a test.
    pub test: bool,
}

impl From<WebhookAttempt> for DeliveryView {
    fn from(attempt: WebhookAttempt) -> Self {
        Self {
            message: attempt.message,
            at: attempt.at,
            attempt: attempt.attempt,
            changes: attempt.changes,
            status: attempt.status,
            failure: attempt.failure,
            detail: attempt.detail,
            took_ms: attempt.took_ms,
            test: attempt.test,
        }
    }
}

/// What came of a test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = TestedWebhook)]
pub struct TestedView {
    /// Whether the endpoint took the message.
    pub arrived: bool,
    /// The status that was answered; null if there was no answer.
    pub status: Option<u16>,
    /// What failed, as in a delivery; null if the message arrived.
    pub failure: Option<String>,
    /// The same for people.
    pub detail: Option<String>,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

impl From<Tested> for TestedView {
    fn from(tested: Tested) -> Self {
        Self {
            arrived: tested.failure.is_none(),
            status: tested.status,
            failure: tested.failure,
            detail: tested.detail,
            took_ms: tested.took_ms,
        }
    }
}
