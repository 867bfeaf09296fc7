//! One webhook.

use jiff::{SignedDuration, Timestamp};
use portolan_shared::model::FindingCode;
use portolan_store::{WebhookRecord, WebhookState, WhyDisabled};

use super::concern::{Concern, Rank};

/// For how long a message may be tried before it is said: a restart of an endpoint is no concern of anybody.
const TRIED: SignedDuration = SignedDuration::from_hours(1);

/// What is to be said of a webhook. That nobody is told of changes blinds nobody here.
pub(super) fn webhook_concerns(record: &WebhookRecord, now: Timestamp) -> Vec<Concern> {
    let command = format!("portolan webhook deliveries {}", record.name);
    let concern = |code, seen: String| {
        vec![Concern::new(Rank::Risk, code, &seen, command.clone()).of_webhook(record.name.as_str())]
    };
    match (record.state, record.tries) {
        (WebhookState::Disabled(why), _) => {
            let why = match why {
                WhyDisabled::Gone => "its endpoint has answered that it is gone",
                WhyDisabled::Undeliverable => "its endpoint did not take a message for a day",
                WhyDisabled::Forgotten => "what it has not been told of is not kept any more",
            };
            concern(FindingCode::WebhookDisabled, why.to_owned())
        }
        (WebhookState::Active, Some(tries)) if now.duration_since(tries.since) > TRIED => {
            let (attempts, since) = (tries.attempts, tries.since);
            let seen = format!("a message was tried {attempts} times since {since:.0}, and did not arrive");
            concern(FindingCode::WebhookUndelivered, seen)
        }
        (WebhookState::Active | WebhookState::Paused, _) => Vec::new(),
    }
}
