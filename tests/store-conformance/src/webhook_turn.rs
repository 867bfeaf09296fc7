//! Outgoing webhooks: whose turn it is, and whose it is not.

use std::collections::BTreeSet;

use portolan_shared::model::{TenantId, WebhookId};
use portolan_store::{
    AuditEntry, DeliveryOutcome, DueWebhook, FeedPosition, RestoreEnd, Retention, Store, TendedWebhooks,
    WebhookAttempt, WebhookChange, WebhookFigures, WebhookRecord, WebhookState, WhyDisabled,
};

use crate::past::DAY;
use crate::site::entries;
use crate::webhook::{add, attempt};
use crate::webhook_delivery::{ME, YOU, again, due, end, hold, show};
use crate::{Site, at, note, noted};

fn of(due: &[DueWebhook]) -> Vec<WebhookId> {
    due.iter().map(|due| due.record.id).collect()
}

async fn pause(store: &dyn Store, tenant: TenantId, id: WebhookId) {
    let change = WebhookChange {
        paused: Some(true),
        ..WebhookChange::default()
    };
    store
        .change_webhook(tenant, id, &change, at(6), &noted)
        .await
        .unwrap();
}

fn some_note(_: &WebhookRecord) -> Option<AuditEntry> {
    Some(note())
}

/// What is in other registries wakes nobody who is told of one; whatever becomes of that one does.
pub async fn a_webhook_of_one_registry_waits_for_that_one(store: &dyn Store) {
    let site = Site::new(store).await;
    let live = site.beside(store, "live").await;
    site.sync(store, &[("a", &[("1", "one")])], 3).await;
    let quiet = add(store, site.tenant, "quiet", Some(site.registry)).await;
    let all = add(store, site.tenant, "all", None).await;
    for seconds in [20, 30] {
        let content = format!("{seconds}");
        live.sync(store, &[("b", &[("1", &content)])], seconds).await;
        assert_eq!(of(&due(store, site.tenant, seconds + 5).await), [all]);
        assert_eq!(show(store, site.tenant, quiet).await.behind, 0);
    }
    for (seconds, now) in [(40, &[("a", &[("1", "two")][..])][..]), (60, &[][..])] {
        site.sync(store, now, seconds).await;
        let found = due(store, site.tenant, seconds + 5).await;
        let mine = found.iter().find(|due| due.record.id == quiet).unwrap();
        assert!(mine.record.behind > 0, "{seconds}");
        let end = store.feed_end(site.tenant).await.unwrap();
        store.pass_webhook(mine, &end, at(seconds + 6)).await.unwrap();
        assert!(!of(&due(store, site.tenant, seconds + 7).await).contains(&quiet));
    }
    // That it is gone is the last thing to hear of it, and then there is nothing, whatever happens elsewhere.
    let gone = store
        .remove_registry(site.tenant, site.registry, &note(), &|_| None)
        .await;
    assert!(gone.unwrap().is_some());
    live.sync(store, &[("b", &[("1", "70")])], 70).await;
    let found = due(store, site.tenant, 71).await;
    let mine = found.iter().find(|due| due.record.id == quiet).unwrap();
    let end = store.feed_end(site.tenant).await.unwrap();
    store.pass_webhook(mine, &end, at(72)).await.unwrap();
    live.sync(store, &[("b", &[("1", "80")])], 80).await;
    assert_eq!(of(&due(store, site.tenant, 81).await), [all]);
}

/// A message that was made is delivered, of whatever the webhook is told by now.
pub async fn a_message_is_due_whatever_its_webhook_is_told_of_since(store: &dyn Store) {
    let site = Site::new(store).await;
    let other = site.beside(store, "other").await;
    let id = add(store, site.tenant, "one", None).await;
    site.sync(store, &[("a", &[("1", "one")])], 20).await;
    let found = due(store, site.tenant, 21).await.remove(0);
    let held = hold(store, &found, "msg_1", ME, 21).await.unwrap();
    assert!(end(store, &held, 22, again(21, 27)).await);
    let filter = WebhookChange {
        registry: Some(Some(other.registry)),
        ..WebhookChange::default()
    };
    store
        .change_webhook(site.tenant, id, &filter, at(23), &noted)
        .await
        .unwrap();
    let found = due(store, site.tenant, 27).await.remove(0);
    assert!(found.message.is_some() && found.record.behind > 0);
    assert_eq!(store.tend_webhooks(&some_note).await.unwrap().moved, 0);
    let held = hold(store, &found, "msg_1", ME, 27).await.unwrap();
    assert!(end(store, &held, 28, DeliveryOutcome::Delivered).await);
    site.sync(store, &[("a", &[("1", "two")])], 30).await;
    assert!(due(store, site.tenant, 31).await.is_empty());
}

/// Those to which nothing is to be delivered move with the feed, in whatever state they are, and what is forgotten does not overtake them; those of which it has
/// overtaken what was for them are disabled, also if they are paused.
pub async fn retention_overtakes_only_those_for_whom_there_was_something(store: &dyn Store) {
    let site = Site::new(store).await;
    let live = site.beside(store, "live").await;
    let quiet = add(store, site.tenant, "quiet", Some(site.registry)).await;
    let held_back = add(store, site.tenant, "held-back", Some(site.registry)).await;
    let missed = add(store, site.tenant, "missed", None).await;
    for id in [held_back, missed] {
        pause(store, site.tenant, id).await;
    }
    for day in 1..10 {
        let content = format!("{day}");
        live.sync(store, &[("b", &[("1", &content)])], day * DAY).await;
    }
    let retention = Retention {
        history_days: Some(5),
        runs_days: None,
    };
    store
        .set_retention(site.tenant, retention, None, &note())
        .await
        .unwrap();
    while store.forget_past(at(11 * DAY), 9).await.unwrap() > 0 {}
    let before = entries(store, site.tenant).await;
    let tended = store.tend_webhooks(&some_note).await.unwrap();
    let expected = TendedWebhooks {
        moved: 2,
        forgotten: 1,
    };
    assert_eq!(tended, expected);
    assert_eq!(entries(store, site.tenant).await, before + 1);
    let end = store.feed_end(site.tenant).await.unwrap();
    for (id, state) in [(quiet, WebhookState::Active), (held_back, WebhookState::Paused)] {
        let shown = show(store, site.tenant, id).await;
        assert_eq!((shown.position, shown.state), (end.clone(), state));
    }
    let forgotten = WebhookState::Disabled(WhyDisabled::Forgotten);
    assert_eq!(show(store, site.tenant, missed).await.state, forgotten);
    let again = store.tend_webhooks(&some_note).await.unwrap();
    assert_eq!(again, TendedWebhooks::default());
    let figures = store.webhook_figures().await.unwrap();
    let expected = WebhookFigures {
        active: 1,
        paused: 1,
        disabled: 1,
        ..WebhookFigures::default()
    };
    assert_eq!(figures, expected);
    // The next thing in it is told without a gap.
    site.sync(store, &[("a", &[("1", "one")])], 12 * DAY).await;
    let found = due(store, site.tenant, 12 * DAY + 1).await.remove(0);
    assert_eq!(found.record.id, quiet);
    let registry = Some(site.registry);
    let next = store.changes(site.tenant, registry, &found.record.position, 9);
    assert_eq!(next.await.unwrap().unwrap().items.len(), 1);
}

/// Two processes see the same attempt as due: when one has made it, the other does not make it too.
pub async fn an_attempt_that_was_made_meanwhile_is_not_made_again(store: &dyn Store) {
    let site = Site::new(store).await;
    add(store, site.tenant, "one", None).await;
    site.sync(store, &[("a", &[("1", "one")])], 20).await;
    let found = due(store, site.tenant, 21).await.remove(0);
    let held = hold(store, &found, "msg_1", ME, 21).await.unwrap();
    assert!(end(store, &held, 22, again(21, 27)).await);
    let (mine, yours) = (
        due(store, site.tenant, 27).await.remove(0),
        due(store, site.tenant, 27).await.remove(0),
    );
    let held = hold(store, &mine, "msg_1", ME, 27).await.unwrap();
    let twice = DeliveryOutcome::Again {
        tries: portolan_store::Tries {
            attempts: 2,
            since: at(21),
        },
        at: at(37),
    };
    assert!(end(store, &held, 28, twice).await);
    assert!(hold(store, &yours, "msg_1", YOU, 28).await.is_none());
    // Nor when it was put off without another attempt.
    let mine = due(store, site.tenant, 37).await.remove(0);
    let held = hold(store, &mine, "msg_1", ME, 37).await.unwrap();
    let put_off = DeliveryOutcome::Again {
        tries: mine.record.tries.unwrap(),
        at: at(90),
    };
    assert!(end(store, &held, 38, put_off).await);
    assert!(hold(store, &mine, "msg_1", YOU, 38).await.is_none());
}

/// A process that is no more holds nothing for ever.
pub async fn who_cannot_go_on_is_disabled_though_a_process_died_with_it(store: &dyn Store) {
    let site = Site::new(store).await;
    let id = add(store, site.tenant, "one", None).await;
    site.sync(store, &[("a", &[("1", "one")])], 20).await;
    let found = due(store, site.tenant, 21).await.remove(0);
    hold(store, &found, "msg_1", ME, 21).await.unwrap();
    // The process dies; somebody skips what there is.
    let skip = WebhookChange {
        position: Some(FeedPosition::behind(0)),
        ..WebhookChange::default()
    };
    store
        .change_webhook(site.tenant, id, &skip, at(22), &noted)
        .await
        .unwrap();
    let found = due(store, site.tenant, 81).await.remove(0);
    let disable = async |seconds| {
        let entry = AuditEntry {
            at: at(seconds),
            ..note()
        };
        let why = WhyDisabled::Forgotten;
        store.disable_webhook(&found, why, &entry).await.unwrap()
    };
    assert!(!disable(80).await, "it is held still");
    assert!(disable(81).await);
}

/// How long an endpoint took for the last message decides among whom it waits for the next; that it did not take it holds nobody up.
pub async fn those_that_are_slow_wait_apart(store: &dyn Store) {
    let site = Site::new(store).await;
    let id = add(store, site.tenant, "one", None).await;
    let took = |took_ms, failure: Option<&str>| WebhookAttempt {
        took_ms,
        failure: failure.map(str::to_owned),
        ..attempt("msg", 1)
    };
    let mut seconds = 20;
    let mut slow = false;
    for (attempt, then) in [
        (took(12, None), false),
        (took(2_001, None), true),
        (took(2_000, None), false),
        (took(5, Some("status")), false),
        (took(20_000, Some("timeout")), true),
        (took(5, Some("connect")), false),
    ] {
        let content = format!("{seconds}");
        site.sync(store, &[("a", &[("1", &content)])], seconds).await;
        let (quick_ones, slow_ones) = (
            store.due_webhooks(at(seconds + 1), 9, 0).await.unwrap(),
            store.due_webhooks(at(seconds + 1), 0, 9).await.unwrap(),
        );
        let expected: [&[WebhookId]; 2] = if slow { [&[], &[id]] } else { [&[id], &[]] };
        assert_eq!(
            [&of(&quick_ones)[..], &of(&slow_ones)[..]],
            expected,
            "{attempt:?}"
        );
        let found = &[quick_ones, slow_ones].concat()[0];
        assert_eq!(found.slow, slow);
        let held = hold(store, found, &content, ME, seconds + 1).await.unwrap();
        let outcome = DeliveryOutcome::Delivered;
        assert!(store.end_delivery(&held, &attempt, &outcome, None).await.unwrap());
        (slow, seconds) = (then, seconds + 10);
    }
}

/// What a message in hand tells need not be kept in the feed: of a webhook that is paused with one, only what is behind it can be forgotten.
pub async fn a_message_in_hand_is_not_forgotten(store: &dyn Store) {
    let site = Site::new(store).await;
    let content = |day: i64| format!("{day}");
    let paused = add(store, site.tenant, "paused", None).await;
    for day in 1..5 {
        site.sync(store, &[("a", &[("1", &content(day))])], day * DAY)
            .await;
    }
    let found = due(store, site.tenant, 5 * DAY).await.remove(0);
    let held = hold(store, &found, "msg_1", ME, 5 * DAY).await.unwrap();
    assert!(end(store, &held, 5 * DAY + 1, again(5 * DAY, 5 * DAY + 9)).await);
    pause(store, site.tenant, paused).await;
    let retention = Retention {
        history_days: Some(5),
        runs_days: None,
    };
    store
        .set_retention(site.tenant, retention, None, &note())
        .await
        .unwrap();
    // All that the message tells is forgotten, and nothing behind it; then that is as well.
    for (day, forgotten) in [(10, 0), (19, 1)] {
        for day in (5..10).filter(|_| day > 10) {
            site.sync(store, &[("a", &[("1", &content(day))])], day * DAY)
                .await;
        }
        while store.forget_past(at(day * DAY), 9).await.unwrap() > 0 {}
        let start = &found.record.position;
        let kept = store.changes(site.tenant, None, start, 9).await.unwrap();
        assert!(kept.is_none(), "the feed does not tell it any more");
        let tended = store.tend_webhooks(&some_note).await.unwrap();
        let expected = TendedWebhooks { moved: 0, forgotten };
        assert_eq!(tended, expected, "on day {day}");
    }
    let forgotten = WebhookState::Disabled(WhyDisabled::Forgotten);
    assert_eq!(show(store, site.tenant, paused).await.state, forgotten);
}

/// Whoever had a turn is behind those who had none since, also if there was nothing for it.
pub async fn turns_go_round(store: &dyn Store) {
    let site = Site::new(store).await;
    let mut all = BTreeSet::new();
    for number in 0..3 {
        all.insert(add(store, site.tenant, &format!("w{number}"), None).await);
    }
    site.sync(store, &[("a", &[("1", "one")])], 20).await;
    let mut had = Vec::new();
    for turn in 0..9 {
        let first = store.due_webhooks(at(21 + turn), 1, 0).await.unwrap().remove(0);
        had.push(first.record.id);
        // A part of the way, as through many entries of others.
        let position = first.record.position.clone();
        store
            .pass_webhook(&first, &position, at(21 + turn))
            .await
            .unwrap();
    }
    for round in had.chunks(3) {
        assert_eq!(round.iter().copied().collect::<BTreeSet<_>>(), all, "{had:?}");
    }
}

/// Whoever has more webhooks that wait, and that wait for longer, comes no sooner: what is on its way are turns that it had.
pub async fn what_is_on_its_way_counts_as_a_turn_of_its_tenant(store: &dyn Store) {
    let (many, one) = (Site::new(store).await, Site::new(store).await);
    for number in 0..5 {
        add(store, many.tenant, &format!("w{number}"), None).await;
    }
    let late = add(store, one.tenant, "late", None).await;
    for site in [&many, &one] {
        site.sync(store, &[("a", &[("1", "one")])], 20).await;
    }
    let had = due(store, one.tenant, 30).await.remove(0);
    let position = had.record.position.clone();
    store.pass_webhook(&had, &position, at(30)).await.unwrap();
    let in_order = async || store.due_webhooks(at(40), 9, 0).await.unwrap();
    let first = in_order().await;
    assert_eq!(first.len(), 6);
    assert_eq!(first[1].record.id, late, "all others have waited for longer");
    for (due, message) in [(&first[0], "msg_0"), (&first[2], "msg_2")] {
        hold(store, due, message, ME, 40).await.unwrap();
    }
    assert_eq!(in_order().await[0].record.id, late);
    assert_eq!(of(&store.due_webhooks(at(40), 1, 0).await.unwrap()), [late]);
}

/// Of what was told before a backup was restored nobody knows: whoever was told is told that.
pub async fn a_restore_is_not_passed_over_in_silence(store: &dyn Store) {
    let site = Site::new(store).await;
    let quiet = add(store, site.tenant, "quiet", Some(site.registry)).await;
    let held_back = add(store, site.tenant, "held-back", Some(site.registry)).await;
    pause(store, site.tenant, held_back).await;
    assert!(due(store, site.tenant, 10).await.is_empty());
    store.begin_restore(at(90)).await.unwrap();
    let restored = RestoreEnd {
        now: at(100),
        amnesty_until: at(1_000),
        pulse: 0,
    };
    store.end_restore(&restored, &noted).await.unwrap();
    assert!(due(store, site.tenant, 101).await.is_empty());
    let tended = store.tend_webhooks(&some_note).await.unwrap();
    assert_eq!(tended, TendedWebhooks::default(), "there is nothing left to do");
    let forgotten = WebhookState::Disabled(WhyDisabled::Forgotten);
    for webhook in [quiet, held_back] {
        assert_eq!(show(store, site.tenant, webhook).await.state, forgotten);
    }
}
