//! Messages and their signatures.

use jiff::{SignedDuration, Timestamp};
use portolan_shared::events::sign_standard;
use portolan_shared::model::{Digest, RegistryId, RunId, TenantId, WebhookId, limits};
use portolan_shared::process::SeededRng;
use portolan_shared::secret::SecretBytes;
use portolan_store::{
    Change, Changed, Changes, FeedPosition, Learnt, LedgerChange, TagChange, WebhookMessage, WebhookRecord,
    WebhookState,
};
use serde_json::Value;

use super::message::{Next, compose};
use super::secret::SigningKeys;
use crate::app::{CloudEvent, Pepper};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn change(registry: RegistryId, run: RunId, entry: u64, tag: &str, repository: &str) -> Change {
    Change {
        position: FeedPosition {
            entry,
            tag: Some(tag.parse().unwrap()),
        },
        registry,
        registry_name: "gl".parse().unwrap(),
        noticed_at: at(0),
        what: Changed::Tag(Box::new(TagChange {
            repository: repository.parse().unwrap(),
            tag: tag.parse().unwrap(),
            change: LedgerChange::Appeared(Digest::sha256_of(b"x")),
            not_before: None,
            learnt: Learnt {
                trigger: None,
                run,
                sensor: None,
                sensor_name: None,
            },
        })),
    }
}

/// So many changes of one entry, as the feed gives them.
fn changes(count: usize, repository: &str) -> Changes {
    let rng = SeededRng::new(1);
    let (registry, run) = (RegistryId::random(&rng), RunId::random(&rng));
    let tag = |number| format!("t{number:04}");
    Changes {
        items: (0..count)
            .map(|number| change(registry, run, 7, &tag(number), repository))
            .collect(),
        next: FeedPosition::behind(9),
        at_end: true,
    }
}

fn message(webhook: WebhookId, from: &FeedPosition, changes: &Changes) -> WebhookMessage {
    match compose(webhook, from, changes) {
        Next::Message(message) => message,
        nothing @ Next::Nothing(_) => panic!("{nothing:?}"),
    }
}

#[test]
fn a_message_is_a_batch_of_events_and_ends_where_the_next_begins() {
    let rng = SeededRng::new(2);
    let (webhook, from) = (WebhookId::random(&rng), FeedPosition::behind(6));
    let feed = changes(3, "acme/shop");
    let made = message(webhook, &from, &feed);
    let events: Vec<Value> = serde_json::from_slice(&made.body).unwrap();
    let expected: Vec<Value> = feed
        .items
        .iter()
        .map(|change| serde_json::to_value(CloudEvent::of_change(change)).unwrap())
        .collect();
    assert_eq!(events, expected);
    assert_eq!((made.changes, made.ends.clone()), (3, FeedPosition::behind(9)));
    assert_eq!(message(webhook, &from, &feed), made, "the same each time");
    let other = message(WebhookId::random(&rng), &from, &feed);
    assert_ne!(other.id, made.id);
    assert_ne!(message(webhook, &FeedPosition::behind(5), &feed).id, made.id);
    let nothing = Changes {
        items: Vec::new(),
        ..feed
    };
    assert_eq!(
        compose(webhook, &from, &nothing),
        Next::Nothing(FeedPosition::behind(9))
    );
}

#[test]
fn a_message_holds_at_its_bounds_and_the_rest_goes_with_the_next() {
    let webhook = WebhookId::random(&SeededRng::new(3));
    let from = FeedPosition::behind(6);
    let most = usize::try_from(limits::MESSAGE_CHANGES).unwrap();
    let full = message(webhook, &from, &changes(most, "a"));
    assert_eq!(
        (full.changes, full.ends),
        (limits::MESSAGE_CHANGES, FeedPosition::behind(9))
    );
    let over = changes(most + 1, "a");
    let cut = message(webhook, &from, &over);
    assert_eq!(
        (cut.changes, &cut.ends),
        (limits::MESSAGE_CHANGES, &over.items[most - 1].position)
    );
    // However large events are, a hundred of them fit: the bound of bytes is the second line.
    let long = "a".repeat(limits::REPOSITORY_BYTES);
    let large = message(webhook, &from, &changes(most, &long));
    assert!(large.body.len() <= limits::MESSAGE_BYTES && large.changes == limits::MESSAGE_CHANGES);
}

fn record(secret_no: u32, secret_since: Timestamp) -> WebhookRecord {
    let rng = SeededRng::new(4);
    WebhookRecord {
        id: WebhookId::random(&rng),
        tenant: TenantId::random(&rng),
        name: "deployer".parse().unwrap(),
        url: "https://hooks.example.com/x".parse().unwrap(),
        registry: None,
        registry_name: None,
        state: WebhookState::Active,
        secret_no,
        secret_since,
        position: FeedPosition::behind(0),
        behind: 0,
        tries: None,
        next_try_at: at(0),
        last_success_at: None,
        created_by: "token:admin".to_owned(),
        created_at: at(0),
        changed_at: at(0),
    }
}

#[test]
fn after_a_rotation_both_keys_sign_for_a_day() {
    let pepper = Pepper::new(&SecretBytes::new(vec![3; 32]));
    let keys = |number, now| SigningKeys::of(&pepper, &record(number, at(0)), now);
    let first = keys(1, at(0));
    assert!(first.current.expose().starts_with("whsec_") && first.previous.is_none());
    let day = SignedDuration::from_hours(24);
    let during = keys(2, at(0) + day - SignedDuration::from_secs(1));
    let (previous, until) = during.previous.as_ref().unwrap();
    assert_eq!((previous.expose(), *until), (first.current.expose(), at(0) + day));
    assert_ne!(during.current.expose(), first.current.expose());
    let signed = during.sign("msg_1", at(5), b"[]");
    let each = |key| sign_standard(key, "msg_1", at(5), b"[]");
    assert_eq!(
        signed,
        format!("{} {}", each(&during.current), each(&first.current))
    );
    let after = keys(2, at(0) + day);
    assert!(after.previous.is_none());
    assert_eq!(after.sign("msg_1", at(5), b"[]"), each(&after.current));
}
