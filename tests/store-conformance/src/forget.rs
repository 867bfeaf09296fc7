//! What need not be kept any more goes; what is to be kept stays.

use portolan_store::{FeedPosition, PageRequest, Past, Retention, RunClosing, Store};

use crate::feed;
use crate::past::{DAY, differences, tags_at};
use crate::site::{Site, at, name, note, whole};

/// Of what was there one change stays, of what was gone nothing; who stands before that is told, and who stands behind it goes on.
pub async fn the_past_is_forgotten_up_to_what_is_to_be_kept(store: &dyn Store) {
    let site = Site::new(store).await;
    let neighbour = Site::new(store).await;
    neighbour.sync(store, &[("a", &[("1", "one")])], 10).await;
    site.sync(
        store,
        &[("a", &[("gone", "1"), ("moves", "1"), ("stays", "1")])],
        10,
    )
    .await;
    let early = store.feed_end(site.tenant).await.unwrap();
    site.sync(store, &[("a", &[("moves", "2"), ("stays", "1")])], DAY)
        .await;
    let behind_old = store.feed_end(site.tenant).await.unwrap();
    site.sync(store, &[("a", &[("moves", "3"), ("stays", "1")])], 10 * DAY)
        .await;
    let retention = Retention {
        history_days: Some(5),
        runs_days: None,
    };
    store
        .set_retention(site.tenant, retention, &note())
        .await
        .unwrap();
    let now = at(11 * DAY);
    while store.forget_past(now, 1).await.unwrap() > 0 {}
    let history = store
        .history(
            site.tenant,
            site.registry,
            &name("a"),
            None,
            &PageRequest::first(),
        )
        .await
        .unwrap();
    let left: Vec<_> = history
        .items
        .iter()
        .map(|line| (line.tag.as_str(), line.noticed_at))
        .collect();
    assert_eq!(
        left,
        [("moves", at(10 * DAY)), ("moves", at(DAY)), ("stays", at(10))]
    );
    assert_eq!(
        differences(store, &site, at(DAY - 1), 9).await,
        Past::Forgotten(at(DAY))
    );
    for expired in [FeedPosition::default(), early] {
        assert_eq!(store.changes(site.tenant, None, &expired, 9).await.unwrap(), None);
    }
    let rest = feed::all(store, site.tenant, None, &behind_old, 9).await;
    assert_eq!(rest.len(), 1);
    let untouched = feed::all(store, neighbour.tenant, None, &FeedPosition::default(), 9).await;
    assert_eq!(untouched.len(), 1, "whoever wants everything has everything");
    let tags = store
        .tags(site.tenant, site.registry, &name("a"), &PageRequest::first())
        .await
        .unwrap();
    assert_eq!(tags.items.len(), 2);
    // Nothing comes back when more is wanted again.
    store
        .set_retention(site.tenant, Retention::default(), &note())
        .await
        .unwrap();
    assert_eq!(store.forget_past(now, 9).await.unwrap(), 0);
    assert_eq!(
        tags_at(store, &site, "a", at(DAY - 1), 9).await,
        Past::Forgotten(at(DAY))
    );
}

/// Runs go with their accounts; what a registry's state rests on stays, and what is open.
pub async fn runs_are_forgotten_but_the_latest(store: &dyn Store) {
    let site = Site::new(store).await;
    let complete = site.sync(store, &[("a", &[("1", "one")])], 10).await.attempt.run;
    let old = site.sync(store, &[("a", &[("1", "one")])], 5).await.attempt.run;
    let mut failed = Vec::new();
    for seconds in [20, 30] {
        let fence = site.start(store, seconds).await;
        let closing = RunClosing {
            discovery_complete: false,
            ..whole(1)
        };
        store.close_run(&fence, &closing, at(seconds + 1)).await.unwrap();
        failed.push(fence.attempt.run);
    }
    let part = site.queue_scope(store, &["a"], 40).await;
    store
        .cancel_run(site.tenant, part, at(41), &note())
        .await
        .unwrap();
    let open = site.queue(store, 50).await;
    let retention = Retention {
        history_days: None,
        runs_days: Some(7),
    };
    store
        .set_retention(site.tenant, retention, &note())
        .await
        .unwrap();
    assert_eq!(store.forget_past(at(6 * DAY), 9).await.unwrap(), 0);
    while store.forget_past(at(8 * DAY), 2).await.unwrap() > 0 {}
    for (run, stays) in [
        (complete, true),
        (old, false),
        (failed[0], false),
        (failed[1], true),
        (part, false),
        (open, true),
    ] {
        let found = store.run(site.tenant, run).await.unwrap();
        assert_eq!(found.is_some(), stays, "{run}");
    }
    let history = store
        .history(
            site.tenant,
            site.registry,
            &name("a"),
            None,
            &PageRequest::first(),
        )
        .await
        .unwrap();
    let learnt = &history.items[0].learnt;
    assert!(
        learnt.trigger.is_some() && learnt.sensor_name.is_some(),
        "{learnt:?}"
    );
}
