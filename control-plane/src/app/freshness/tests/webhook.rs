//! Webhooks.

use portolan_shared::model::{FindingCode as Code, WebhookId};
use portolan_shared::process::SeededRng;
use portolan_store::{FeedPosition, Tries, WebhookRecord, WebhookState, WhyDisabled};

use super::scene::{ago, now, sensor};
use crate::app::freshness::Rank;
use crate::app::freshness::webhook::webhook_concerns;

fn webhook(state: WebhookState, tried_for: Option<i64>) -> WebhookRecord {
    WebhookRecord {
        id: WebhookId::random(&SeededRng::new(1)),
        tenant: sensor().tenant,
        name: "chat".parse().unwrap(),
        url: "https://chat.example.com/hook".parse().unwrap(),
        registry: None,
        registry_name: None,
        state,
        secret_no: 1,
        secret_since: ago(9_000),
        position: FeedPosition::behind(0),
        behind: 0,
        tries: tried_for.map(|seconds| Tries {
            attempts: 7,
            since: ago(seconds),
        }),
        next_try_at: now(),
        last_success_at: None,
        created_by: "admin".to_owned(),
        created_at: ago(9_000),
        changed_at: ago(9_000),
    }
}

/// One of each kind of trouble.
pub(super) fn troubled() -> [WebhookRecord; 2] {
    [
        webhook(WebhookState::Active, Some(3_601)),
        webhook(WebhookState::Disabled(WhyDisabled::Gone), None),
    ]
}

#[test]
fn who_is_not_told_is_a_risk() {
    let disabled = |why| WebhookState::Disabled(why);
    for (state, tried_for, expected) in [
        (WebhookState::Active, None, None),
        (WebhookState::Active, Some(3_600), None),
        (
            WebhookState::Active,
            Some(3_601),
            Some((
                Code::WebhookUndelivered,
                "a message was tried 7 times since 2027-01-15T06:59:59Z, and did not arrive",
            )),
        ),
        (WebhookState::Paused, Some(9_000), None),
        (
            disabled(WhyDisabled::Gone),
            None,
            Some((Code::WebhookDisabled, "its endpoint has answered that it is gone")),
        ),
        (
            disabled(WhyDisabled::Undeliverable),
            Some(90_000),
            Some((
                Code::WebhookDisabled,
                "its endpoint did not take a message for a day",
            )),
        ),
        (
            disabled(WhyDisabled::Forgotten),
            None,
            Some((
                Code::WebhookDisabled,
                "what it has not been told of is not kept any more",
            )),
        ),
    ] {
        let concerns = webhook_concerns(&webhook(state, tried_for), now());
        let told = concerns
            .first()
            .map(|concern| (concern.finding.code, concern.finding.seen.as_str()));
        assert_eq!(told, expected);
        assert!(concerns.iter().all(|concern| concern.rank == Rank::Risk));
    }
}
