//! Outgoing webhooks: to whom there is something to deliver, and what comes of it.

use std::collections::BTreeSet;

use futures::future::join_all;
use portolan_shared::model::{RepositoryOutcome, TenantId, WebhookId, WebhookUrl};
use portolan_store::{
    DeliveryOutcome, DueWebhook, FeedPosition, PageRequest, Store, Tries, WebhookChange, WebhookHold,
    WebhookMessage, WebhookRecord, WebhookState, WhyDisabled,
};

use crate::site::entries;
use crate::webhook::{add, attempt};
use crate::{Site, at, commit_of, note, noted};

pub(crate) const ME: [u8; 16] = [1; 16];
pub(crate) const YOU: [u8; 16] = [2; 16];

pub(crate) async fn show(store: &dyn Store, tenant: TenantId, id: WebhookId) -> WebhookRecord {
    store.webhook(tenant, id).await.unwrap().unwrap()
}

/// Something that the feed tells of.
pub(crate) async fn happen(store: &dyn Store, site: &Site, seconds: i64) {
    let fence = site.start(store, seconds).await;
    let tag = format!("t{seconds}");
    let commit = commit_of("acme/shop", &[(&tag, "one")], RepositoryOutcome::Listed);
    store
        .commit_repository(&fence, &commit, at(seconds))
        .await
        .unwrap();
    store.return_lease(&fence, at(seconds)).await.unwrap();
    store
        .cancel_run(site.tenant, fence.attempt.run, at(seconds), &note())
        .await
        .unwrap();
}

pub(crate) async fn due(store: &dyn Store, tenant: TenantId, seconds: i64) -> Vec<DueWebhook> {
    let mut due = store.due_webhooks(at(seconds), 100, 100).await.unwrap();
    due.retain(|due| due.record.tenant == tenant);
    due
}

fn message(due: &DueWebhook, id: &str) -> WebhookMessage {
    due.message.clone().unwrap_or_else(|| WebhookMessage {
        id: id.to_owned(),
        body: b"[{}]".to_vec(),
        changes: 1,
        ends: FeedPosition::behind(due.record.position.entry + due.record.behind - 1),
    })
}

pub(crate) async fn hold(
    store: &dyn Store,
    due: &DueWebhook,
    id: &str,
    holder: [u8; 16],
    seconds: i64,
) -> Option<WebhookHold> {
    let message = message(due, id);
    store
        .hold_webhook(due, &message, holder, at(seconds), at(seconds + 60))
        .await
        .unwrap()
}

pub(crate) fn again(seconds: i64, next: i64) -> DeliveryOutcome {
    DeliveryOutcome::Again {
        tries: Tries {
            attempts: 1,
            since: at(seconds),
        },
        at: at(next),
    }
}

pub(crate) async fn end(
    store: &dyn Store,
    hold: &WebhookHold,
    seconds: i64,
    outcome: DeliveryOutcome,
) -> bool {
    let attempt = attempt(&hold.message, seconds);
    store
        .end_delivery(hold, &attempt, &outcome, Some(&note()))
        .await
        .unwrap()
}

/// Due is whom something new may concern, until it is passed over.
pub async fn a_webhook_is_due_when_the_feed_has_grown_behind_it(store: &dyn Store) {
    let site = Site::new(store).await;
    happen(store, &site, 10).await;
    let id = add(store, site.tenant, "one", None).await;
    assert!(
        due(store, site.tenant, 20).await.is_empty(),
        "it begins at the end"
    );
    happen(store, &site, 20).await;
    let found = due(store, site.tenant, 21).await;
    assert_eq!(
        (found.len(), found[0].record.id, found[0].record.behind),
        (1, id, 1)
    );
    assert_eq!(
        store.due_webhooks(at(21), 0, 100).await.unwrap().len(),
        0,
        "it was not tried yet"
    );
    // Nothing in there for it: it is further on.
    let end = store.feed_end(site.tenant).await.unwrap();
    store.pass_webhook(&found[0], &end, at(21)).await.unwrap();
    assert!(due(store, site.tenant, 21).await.is_empty());
    assert_eq!(show(store, site.tenant, id).await.behind, 0);
    happen(store, &site, 30).await;
    store
        .pass_webhook(&found[0], &FeedPosition::behind(0), at(31))
        .await
        .unwrap();
    assert_eq!(
        show(store, site.tenant, id).await.position,
        end,
        "who is late moves nothing"
    );
    let pause = |paused| WebhookChange {
        paused: Some(paused),
        ..WebhookChange::default()
    };
    store
        .change_webhook(site.tenant, id, &pause(true), at(31), &noted)
        .await
        .unwrap();
    assert!(due(store, site.tenant, 32).await.is_empty());
    store
        .change_webhook(site.tenant, id, &pause(false), at(33), &noted)
        .await
        .unwrap();
    assert_eq!(due(store, site.tenant, 33).await.len(), 1);
}

/// However many one tenant has, another one's turn comes.
pub async fn tenants_take_turns_with_their_webhooks(store: &dyn Store) {
    let (many, one) = (Site::new(store).await, Site::new(store).await);
    for number in 0..5 {
        add(store, many.tenant, &format!("w{number}"), None).await;
    }
    let late = add(store, one.tenant, "late", None).await;
    happen(store, &many, 20).await;
    happen(store, &one, 20).await;
    let due = store.due_webhooks(at(21), 2, 0).await.unwrap();
    assert_eq!(due.len(), 2);
    assert!(due.iter().any(|due| due.record.id == late));
}

/// [`several_holders`], on one store.
pub async fn of_several_holders_one_gets_a_webhook(store: &dyn Store) {
    several_holders(store, store).await;
}

/// Two control planes on one database: nothing is held twice at once, and a hold that has ended goes to somebody else.
pub async fn several_holders(one: &dyn Store, other: &dyn Store) {
    let site = Site::new(one).await;
    for number in 0..20 {
        add(one, site.tenant, &format!("w{number}"), None).await;
    }
    happen(one, &site, 20).await;
    let (mine, yours) = (due(one, site.tenant, 21).await, due(other, site.tenant, 21).await);
    assert_eq!((mine.len(), yours.len()), (20, 20), "both have seen all");
    let take = |store, due: Vec<DueWebhook>, holder| async move {
        let held = join_all(due.iter().map(|due| hold(store, due, "msg", holder, 21))).await;
        held.into_iter().flatten().collect::<Vec<_>>()
    };
    let (mine, yours) = futures::join!(take(one, mine, ME), take(other, yours, YOU));
    let all: BTreeSet<_> = mine.iter().chain(&yours).map(|hold| hold.webhook).collect();
    assert_eq!((all.len(), mine.len() + yours.len()), (20, 20));
    assert!(due(other, site.tenant, 80).await.is_empty(), "all are held");
    // Whoever held has gone; whoever is late writes nothing.
    let found = due(other, site.tenant, 82).await;
    assert_eq!(found.len(), 20);
    assert!(found.iter().all(|due| due.message.is_some()));
    let stranger = [3; 16];
    for due in &found {
        assert!(hold(other, due, "other", stranger, 82).await.is_some());
    }
    for hold in mine.iter().chain(&yours) {
        assert!(!end(one, hold, 83, DeliveryOutcome::Delivered).await);
        assert_eq!(show(one, site.tenant, hold.webhook).await.behind, 1);
    }
    one.release_webhooks(stranger).await.unwrap();
    assert_eq!(due(one, site.tenant, 83).await.len(), 20);
}

/// Every attempt is at the same message, until it has arrived.
pub async fn a_message_stays_what_it_is_until_it_has_arrived(store: &dyn Store) {
    let site = Site::new(store).await;
    let id = add(store, site.tenant, "one", None).await;
    happen(store, &site, 20).await;
    let first = due(store, site.tenant, 21).await.remove(0);
    let held = hold(store, &first, "msg_1", ME, 21).await.unwrap();
    assert!(end(store, &held, 22, again(21, 27)).await);
    happen(store, &site, 25).await;
    assert!(
        due(store, site.tenant, 26).await.is_empty(),
        "not before it is to be tried again"
    );
    let second = due(store, site.tenant, 27).await.remove(0);
    assert_eq!(second.message, Some(message(&first, "msg_1")), "the same bytes");
    let tries = Tries {
        attempts: 1,
        since: at(21),
    };
    assert_eq!(
        (
            second.record.tries,
            store.due_webhooks(at(27), 0, 100).await.unwrap().len()
        ),
        (Some(tries), 0),
        "it was refused at once, and is not slow"
    );
    let held = hold(store, &second, "never", ME, 27).await.unwrap();
    assert_eq!(held.message, "msg_1");
    assert!(end(store, &held, 28, DeliveryOutcome::Delivered).await);
    let shown = show(store, site.tenant, id).await;
    assert_eq!(
        (shown.behind, shown.tries, shown.last_success_at),
        (1, None, Some(at(28)))
    );
    let third = due(store, site.tenant, 28).await.remove(0);
    assert!(third.message.is_none(), "the next one is to be made");
    // By a clock that was set back it does not wait for ever.
    let held = hold(store, &third, "msg_2", ME, 28).await.unwrap();
    assert!(end(store, &held, 28, again(28, 9_000_000)).await);
    assert_eq!(due(store, site.tenant, 29).await.len(), 1);
    let log = store
        .webhook_deliveries(site.tenant, id, &PageRequest::first())
        .await
        .unwrap();
    let messages: Vec<_> = log.items.iter().map(|attempt| attempt.message.as_str()).collect();
    assert_eq!(messages, ["msg_2", "msg_1", "msg_1"]);
}

/// Who resumes goes on where it stopped, or skips.
pub async fn a_webhook_that_is_disabled_keeps_its_place(store: &dyn Store) {
    let site = Site::new(store).await;
    let id = add(store, site.tenant, "one", None).await;
    happen(store, &site, 20).await;
    let found = due(store, site.tenant, 21).await.remove(0);
    let held = hold(store, &found, "msg_1", ME, 21).await.unwrap();
    let before = entries(store, site.tenant).await;
    let tries = Tries {
        attempts: 7,
        since: at(1),
    };
    let why = WhyDisabled::Undeliverable;
    assert!(end(store, &held, 22, DeliveryOutcome::Disabled { tries, why }).await);
    assert_eq!(entries(store, site.tenant).await, before + 1);
    let shown = show(store, site.tenant, id).await;
    assert_eq!((shown.state, shown.behind), (WebhookState::Disabled(why), 1));
    assert!(due(store, site.tenant, 100).await.is_empty());
    let resume = WebhookChange {
        paused: Some(false),
        ..WebhookChange::default()
    };
    store
        .change_webhook(site.tenant, id, &resume, at(101), &noted)
        .await
        .unwrap();
    let resumed = due(store, site.tenant, 101).await.remove(0);
    assert_eq!(
        (
            resumed.message.as_ref().map(|kept| kept.id.as_str()),
            resumed.record.tries
        ),
        (Some("msg_1"), None)
    );
    // Skipping drops the message.
    let skip = WebhookChange {
        position: Some(store.feed_end(site.tenant).await.unwrap()),
        ..resume
    };
    store
        .change_webhook(site.tenant, id, &skip, at(102), &noted)
        .await
        .unwrap();
    assert!(due(store, site.tenant, 102).await.is_empty());
    assert!(
        hold(store, &resumed, "msg_1", ME, 102).await.is_none(),
        "who is late holds nothing"
    );
    happen(store, &site, 110).await;
    let next = due(store, site.tenant, 111).await.remove(0);
    assert!(next.message.is_none());
    let forgotten = WhyDisabled::Forgotten;
    assert!(store.disable_webhook(&next, forgotten, &note()).await.unwrap());
    assert!(!store.disable_webhook(&next, forgotten, &note()).await.unwrap());
    assert_eq!(
        show(store, site.tenant, id).await.state,
        WebhookState::Disabled(forgotten)
    );
}

/// A change in the middle of an attempt wins over what comes of the attempt.
pub async fn what_came_of_what_a_webhook_was_does_not_count_against_what_it_is(store: &dyn Store) {
    let site = Site::new(store).await;
    let id = add(store, site.tenant, "one", None).await;
    happen(store, &site, 20).await;
    let take = async || {
        let found = due(store, site.tenant, 21).await.remove(0);
        hold(store, &found, "msg_1", ME, 21).await.unwrap()
    };
    let moved = WebhookChange {
        url: Some("https://elsewhere.example.com/".parse::<WebhookUrl>().unwrap()),
        rotate: true,
        ..WebhookChange::default()
    };
    let tries = Tries {
        attempts: 7,
        since: at(1),
    };
    let why = WhyDisabled::Gone;
    for outcome in [DeliveryOutcome::Disabled { tries, why }, again(21, 500)] {
        let held = take().await;
        store
            .change_webhook(site.tenant, id, &moved, at(21), &noted)
            .await
            .unwrap();
        let before = entries(store, site.tenant).await;
        assert!(!end(store, &held, 21, outcome).await);
        assert_eq!(entries(store, site.tenant).await, before);
        let shown = show(store, site.tenant, id).await;
        assert_eq!(
            (shown.state, shown.tries),
            (WebhookState::Active, None),
            "tried at once"
        );
    }
    assert_eq!(show(store, site.tenant, id).await.secret_no, 3);
    // That it has arrived is so, wherever it went; and it stays paused.
    let held = take().await;
    let pause = WebhookChange {
        paused: Some(true),
        ..WebhookChange::default()
    };
    store
        .change_webhook(site.tenant, id, &pause, at(21), &noted)
        .await
        .unwrap();
    assert!(end(store, &held, 21, DeliveryOutcome::Delivered).await);
    let shown = show(store, site.tenant, id).await;
    assert_eq!((shown.state, shown.behind), (WebhookState::Paused, 0));
    assert!(store.remove_webhook(site.tenant, id, &note()).await.unwrap());
    assert!(!end(store, &held, 22, DeliveryOutcome::Delivered).await);
}
