//! What need not be kept any more goes; what is to be kept stays.

use jiff::SignedDuration;
use portolan_shared::model::RunState;
use portolan_store::{
    FeedPosition, PageRequest, Past, RegistryPulse, Retention, RunClosing, SessionOpening, Store,
};

use crate::feed;
use crate::past::{DAY, differences, tags_at};
use crate::site::{Site, at, name, note, opening, whole};

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
        .set_retention(site.tenant, retention, None, &note())
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
        assert!(!store.feed_holds(site.tenant, &expired).await.unwrap());
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
        .set_retention(site.tenant, Retention::default(), None, &note())
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
        .set_retention(site.tenant, retention, None, &note())
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

async fn pulse(store: &dyn Store, site: &Site) -> RegistryPulse {
    let found = store.registry_pulses(site.tenant, &[site.registry]).await;
    found.unwrap().remove(0)
}

/// Least of all that it fails: a run that a person stopped says nothing, and is not what the last that said something goes for.
pub async fn forgetting_runs_changes_nothing_of_what_is_said_of_a_registry(store: &dyn Store) {
    let site = Site::new(store).await;
    let complete = site.sync(store, &[("a", &[("1", "one")])], 10).await.attempt.run;
    let fence = site.start(store, 20).await;
    let failing = RunClosing {
        discovery_complete: false,
        ..whole(1)
    };
    store.close_run(&fence, &failing, at(21)).await.unwrap();
    let stopped = site.queue(store, 30).await;
    let (tenant, now) = (site.tenant, at(31));
    store.cancel_run(tenant, stopped, now, &note()).await.unwrap();
    let look = site.start_event_run(store, &["a:1"], 40).await;
    store.close_run(&look, &failing, at(41)).await.unwrap();
    let before = pulse(store, &site).await;
    let retention = Retention {
        history_days: None,
        runs_days: Some(7),
    };
    store
        .set_retention(tenant, retention, None, &note())
        .await
        .unwrap();
    while store.forget_past(at(60 * DAY), 2).await.unwrap() > 0 {}
    let after = pulse(store, &site).await;
    assert_eq!(before.last_whole.as_ref().unwrap().run, fence.attempt.run);
    assert_eq!(after.last_whole, before.last_whole);
    assert_eq!(after.last_run, before.last_run);
    assert!(store.run(tenant, complete).await.unwrap().is_some());
    assert!(store.run(tenant, stopped).await.unwrap().is_none());
}

/// Also where runs are kept for ever; but not the last run of a registry, nor one that could not see everything.
pub async fn looks_that_came_to_their_end_go_after_a_week(store: &dyn Store) {
    let site = Site::new(store).await;
    site.sync(store, &[("a", &[("1", "one")])], 10).await;
    let mut looks = Vec::new();
    for seconds in 20..25 {
        let look = site.start_event_run(store, &["a:1"], seconds).await;
        let closing = RunClosing {
            discovery_complete: seconds != 22,
            ..whole(0)
        };
        let closed = store.close_run(&look, &closing, at(seconds)).await.unwrap();
        looks.push((look.attempt.run, closed.state));
    }
    let kept = async || {
        let mut kept = Vec::new();
        for (run, _) in &looks {
            kept.push(store.run(site.tenant, *run).await.unwrap().is_some());
        }
        kept
    };
    while store.forget_past(at(7 * DAY), 9).await.unwrap() > 0 {}
    assert_eq!(kept().await, [true; 5]);
    while store.forget_past(at(8 * DAY), 9).await.unwrap() > 0 {}
    assert_eq!(looks[2].1, RunState::Partial);
    assert_eq!(kept().await, [false, false, true, false, true]);
}

/// By their own clocks, whatever that of the control plane shows; one that is further ahead than is asked for counts for nothing.
pub async fn the_time_that_sensors_told_is_known(store: &dyn Store) {
    // Longer ago than any other case.
    let (ago, minute) = (at(-10_000 * DAY), SignedDuration::from_mins(1));
    let site = Site::new(store).await;
    let tell = async |skew_ms: i64| {
        let told = SessionOpening {
            clock_skew_ms: skew_ms,
            now: ago,
            ..opening(site.tenant, site.sensor, site.serial)
        };
        store.open_session(&told).await.unwrap();
        store.time_told_by_sensors(ago + minute).await.unwrap()
    };
    assert_eq!(tell(-5_000).await, Some(ago - SignedDuration::from_secs(5)));
    assert_eq!(tell(60_000).await, Some(ago + minute));
    for hostile in [61_000, i64::MAX - ago.as_millisecond(), i64::MIN] {
        assert_eq!(tell(hostile).await, None, "{hostile}");
    }
}
