//! Changes that events should have announced, and did not.

use portolan_shared::model::{EventSubject, RepositoryOutcome, RunId};
use portolan_shared::process::SystemRng;
use portolan_store::{EventIntake, QueueOutcome, RegistryChange, RepositoryCommit, RunClosing, Store};

use crate::heard::{end, intake, note, of, tag, take};
use crate::site::{Site, at, commit_of, name, whole};

const ONE: &[(&str, &str)] = &[("1", "one")];
const TWO: &[(&str, &str)] = &[("1", "two")];

/// When something was last found that no event announced, once all that there is by this second has been judged.
async fn judged(store: &dyn Store, site: &Site, seconds: i64) -> Option<i64> {
    store.judge_silence(at(seconds)).await.unwrap();
    unannounced(store, site).await
}

async fn unannounced(store: &dyn Store, site: &Site) -> Option<i64> {
    let at_all = site.record(store).await.unannounced_at;
    at_all.map(|time| time.as_second() - at(0).as_second())
}

async fn hear(store: &dyn Store, site: &Site, subject: EventSubject, seconds: i64) {
    note(store, site, &[subject], at(seconds)).await;
}

/// A registry that is read on push and was read before.
async fn site(store: &dyn Store) -> Site {
    let site = crate::heard::site(store).await;
    site.sync(store, &[("a", ONE), ("b", ONE)], 10).await;
    assert_eq!(
        judged(store, &site, 10_000).await,
        None,
        "the first run counts nothing"
    );
    site
}

/// A move, a repository that is new, one that is gone: each is noted, until a complete run finds none.
pub async fn what_no_event_has_announced_is_noted_until_a_run_finds_none(store: &dyn Store) {
    let site = site(store).await;
    for (seconds, there) in [
        (200, &[("a", TWO), ("b", ONE)][..]),
        (400, &[("a", TWO), ("b", ONE), ("new", ONE)]),
        (600, &[("a", TWO), ("b", ONE)]),
    ] {
        site.sync(store, there, seconds).await;
        assert_eq!(
            judged(store, &site, seconds + 59).await,
            None,
            "its event may be on the way"
        );
        assert_eq!(judged(store, &site, seconds + 60).await, Some(seconds));
        let fence = site.start(store, seconds + 65).await;
        let cut = RunClosing {
            discovery_complete: false,
            ..whole(0)
        };
        store.close_run(&fence, &cut, at(seconds + 66)).await.unwrap();
        assert_eq!(
            unannounced(store, &site).await,
            Some(seconds),
            "a partial run may not have come to it"
        );
        site.sync(store, there, seconds + 70).await;
        assert_eq!(unannounced(store, &site).await, None);
    }
}

/// A registry notifies a moment after the push, and a listing may come between; nor is a loss that is told of later silence.
pub async fn an_event_that_comes_a_moment_after_the_listing_is_in_time(store: &dyn Store) {
    let site = site(store).await;
    site.sync(store, &[("a", TWO), ("b", ONE), ("new", ONE)], 200)
        .await;
    hear(store, &site, tag("a", "1"), 201).await;
    hear(store, &site, tag("new", "1"), 259).await;
    assert_eq!(judged(store, &site, 1_000).await, None);
    site.sync(store, &[("a", ONE), ("b", TWO), ("new", ONE)], 1_200)
        .await;
    hear(store, &site, tag("a", "1"), 1_201).await;
    assert_eq!(
        judged(store, &site, 1_260).await,
        Some(1_200),
        "of one of them nothing was heard"
    );
    hear(store, &site, tag("b", "1"), 1_261).await;
    assert_eq!(judged(store, &site, 2_000).await, Some(1_200), "too late");
    site.sync(store, &[("a", ONE), ("b", TWO), ("new", ONE)], 2_100)
        .await;
    site.sync(store, &[("a", TWO), ("b", TWO), ("new", ONE)], 2_200)
        .await;
    hear(store, &site, EventSubject::Registry, 2_201).await;
    assert_eq!(judged(store, &site, 3_000).await, None, "it may have been lost");
}

/// Even while a long run goes on, whose end does not take it back.
pub async fn silence_is_known_before_the_run_ends_that_noticed_it(store: &dyn Store) {
    let site = site(store).await;
    let fence = site.start(store, 200).await;
    let moved = commit_of("a", TWO, RepositoryOutcome::Listed);
    store.commit_repository(&fence, &moved, at(201)).await.unwrap();
    assert_eq!(judged(store, &site, 261).await, Some(201));
    let due = store.due_registries(at(261), 10_000).await.unwrap();
    assert!(
        due.iter()
            .any(|due| due.registry == site.registry && !due.planned)
    );
    let same = commit_of("b", ONE, RepositoryOutcome::Listed);
    store.commit_repository(&fence, &same, at(9_000)).await.unwrap();
    store.close_run(&fence, &whole(2), at(9_001)).await.unwrap();
    assert_eq!(judged(store, &site, 9_999).await, Some(201));
    site.sync(store, &[("a", TWO), ("b", ONE)], 10_000).await;
    assert_eq!(judged(store, &site, 10_100).await, None);
}

/// Whether a run has looked for the event already or not.
pub async fn what_events_have_announced_is_expected(store: &dyn Store) {
    let site = site(store).await;
    hear(store, &site, tag("a", "1"), 15).await;
    hear(store, &site, EventSubject::Repository(name("b")), 16).await;
    hear(store, &site, tag("new", "1"), 17).await;
    site.sync(store, &[("a", TWO), ("new", ONE)], 20).await;
    assert_eq!(judged(store, &site, 10_000).await, None);
    // Once more, when a run has taken these over, without an event since it was last seen.
    let run = RunId::random(&SystemRng);
    store
        .queue_event_run(&of(&site), run, at(25))
        .await
        .unwrap()
        .unwrap();
    store
        .cancel_run(site.tenant, run, at(26), &crate::site::note())
        .await
        .unwrap();
    site.sync(store, &[("a", ONE), ("new", ONE)], 30).await;
    assert_eq!(judged(store, &site, 10_000).await, Some(30));
}

/// Of a registry that is read otherwise nothing is expected, nor of what it was before; nor of what another definition finds.
pub async fn events_need_announce_nothing_of_the_time_before_they_were_asked_for(store: &dyn Store) {
    let site = Site::new(store).await;
    site.sync(store, &[("a", ONE)], 10).await;
    site.sync(store, &[("a", TWO)], 20).await;
    assert_eq!(judged(store, &site, 10_000).await, None, "it is read by hand");
    site.read_on_push(store, 30).await;
    site.sync(store, &[("a", ONE), ("new", ONE)], 40).await;
    assert_eq!(
        judged(store, &site, 10_000).await,
        None,
        "it may have been so before"
    );
    site.sync(store, &[("a", TWO), ("new", ONE)], 50).await;
    assert_eq!(judged(store, &site, 10_000).await, Some(50));
    site.sync(store, &[("a", ONE), ("new", ONE)], 52).await;
    let elsewhere = RegistryChange {
        url: Some("https://other.example.com".parse().unwrap()),
        ..RegistryChange::default()
    };
    let (tenant, registry) = (site.tenant, site.registry);
    let changed = store.change_registry(tenant, registry, &elsewhere, None, at(55), &crate::site::noted);
    changed.await.unwrap();
    assert_eq!(judged(store, &site, 10_000).await, None);
    site.sync(store, &[("other", ONE)], 60).await;
    assert_eq!(judged(store, &site, 10_000).await, None);
}

/// What it looks at was announced; and if events are known to be lost, it is no news that some did not come.
pub async fn runs_that_events_asked_for_find_nothing_unannounced(store: &dyn Store) {
    let site = site(store).await;
    let fence = site.start_event_run(store, &["a:1"], 20).await;
    let part = RepositoryCommit {
        only: Some(vec!["1".parse().unwrap()]),
        ..commit_of("a", TWO, RepositoryOutcome::Listed)
    };
    store.commit_repository(&fence, &part, at(21)).await.unwrap();
    store.close_run(&fence, &whole(1), at(22)).await.unwrap();
    assert_eq!(judged(store, &site, 10_000).await, None);

    hear(store, &site, EventSubject::Registry, 30).await;
    site.sync(store, &[("a", ONE), ("b", TWO)], 31).await;
    assert_eq!(
        judged(store, &site, 10_000).await,
        None,
        "it waits to be looked at"
    );
    let run = RunId::random(&SystemRng);
    let queued = store.queue_event_run(&of(&site), run, at(40)).await.unwrap();
    assert_eq!(queued, Some(QueueOutcome::Queued));
    let fence = site.lease(store, run, 41).await;
    let moved = commit_of("b", ONE, RepositoryOutcome::Listed);
    store.commit_repository(&fence, &moved, at(42)).await.unwrap();
    store.close_run(&fence, &whole(1), at(43)).await.unwrap();
    assert_eq!(judged(store, &site, 10_000).await, None);
}

/// A sensor begins to listen: whatever came before is not known.
async fn begin(store: &dyn Store, site: &Site, seconds: i64) {
    let begun = EventIntake {
        subjects: vec![(EventSubject::Registry, 0)],
        ..intake(site, &[], at(seconds))
    };
    assert!(store.note_events(&begun).await.unwrap().pending);
}

/// Once it may have lost an event; time and again, it would excuse all that there is.
pub async fn a_sensor_that_begins_again_and_again_excuses_nothing(store: &dyn Store) {
    const CHANGED: &[(&str, &[(&str, &str)])] = &[("a", TWO), ("b", ONE)];
    let once = site(store).await;
    once.sync(store, CHANGED, 1_000).await;
    begin(store, &once, 1_001).await;
    assert_eq!(judged(store, &once, 1_060).await, None, "it may have been lost");
    for (before, found) in [(750, Some(1_000)), (650, None)] {
        let again = site(store).await;
        begin(store, &again, before).await;
        let run = take(store, &again, at(before + 1)).await.unwrap();
        end(store, &again, &run, before + 2).await;
        again.sync(store, CHANGED, 1_000).await;
        begin(store, &again, 1_001).await;
        assert_eq!(judged(store, &again, 1_060).await, found, "{before}");
    }
    let waiting = site(store).await;
    waiting.sync(store, CHANGED, 1_000).await;
    begin(store, &waiting, 1_001).await;
    begin(store, &waiting, 1_030).await;
    hear(store, &waiting, EventSubject::Registry, 1_031).await;
    assert_eq!(judged(store, &waiting, 1_060).await, None, "what is lost is lost");
}
