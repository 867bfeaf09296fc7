//! What may be claimed of a registry: that it was seen as it is wanted now, when that was, and since when nothing starts it.

use std::num::NonZeroU32;

use jiff::Timestamp;
use portolan_shared::model::{EventSubject, RepositoryPatterns, RunState, TagFilter};
use portolan_store::{
    EndedRun, EventDoor, EventIntake, NewRegistry, PageRequest, Past, RegistryChange, Schedule, Seen, Store,
};

use crate::freshness::{ONE, pulse, unreachable};
use crate::site::{Site, at, commit_listed as commit, name, note, registry, whole};

/// Since when all of the registry is known.
async fn known_from(store: &dyn Store, site: &Site) -> Option<Timestamp> {
    let page = PageRequest::first();
    let answer = store.differences(site.tenant, site.registry, at(5), &page).await;
    match answer.unwrap() {
        Past::Known(answer) => answer.known_from,
        other => panic!("{other:?}"),
    }
}

/// Since it was paused, whatever else is changed meanwhile; and which of its repositories are wanted.
pub async fn since_when_a_registry_is_paused_is_told(store: &dyn Store) {
    let site = Site::new(store).await;
    let schedule = |paused| Schedule {
        paused,
        ..Schedule::default()
    };
    for (paused, seconds, since) in [
        (false, 10, None),
        (true, 20, Some(20)),
        (true, 30, Some(20)),
        (false, 40, None),
        (true, 50, Some(50)),
    ] {
        site.read(store, schedule(paused), seconds).await;
        assert_eq!(pulse(store, &site).await.paused_at, since.map(at), "{seconds}");
    }
    let patterns = RepositoryPatterns::new(vec!["a/*".to_owned()]).unwrap();
    let change = RegistryChange {
        repositories: Some(patterns.clone()),
        ..RegistryChange::default()
    };
    site.set(store, change).await;
    let told = pulse(store, &site).await;
    assert_eq!((told.paused_at, told.repositories), (Some(at(50)), patterns));
    let new = NewRegistry {
        schedule: schedule(true),
        ..registry(site.tenant, "paused", &[site.sensor])
    };
    store.add_registry(&new, at(60), &note()).await.unwrap();
    let told = store.registry_pulses(site.tenant, &[new.id]).await.unwrap();
    assert_eq!(told[0].paused_at, Some(at(60)));
}

/// A clock that was a day ahead has seen everything; then it is set back, and nothing is seen any more.
pub async fn what_a_clock_saw_that_was_ahead_is_not_the_last_for_a_day(store: &dyn Store) {
    const AHEAD: i64 = 86_400;
    let site = Site::new(store).await;
    let content: &[(&str, &[(&str, &str)])] = &[("a", ONE)];
    site.read_on_push(store, AHEAD).await;
    site.sync(store, &[("a", ONE), ("gone", ONE)], AHEAD).await;
    site.sync(store, content, AHEAD).await;
    // It has waited for five days when it is begun.
    let old = site.beside(store, "old").await;
    let waited = old.queue(store, 100 - 5 * 86_400).await;
    let fence = old.lease(store, waited, AHEAD).await;
    store.close_run(&fence, &whole(0), at(AHEAD)).await.unwrap();
    let event = EventIntake {
        tenant: site.tenant,
        registry: site.registry,
        door: EventDoor::Webhook,
        subjects: vec![(EventSubject::Repository(name("a")), 1)],
        named_at: std::collections::BTreeMap::new(),
        ignored: 0,
        refused: 0,
        last_refused: None,
        now: at(AHEAD),
    };
    store.note_events(&event).await.unwrap();
    let seen = Seen {
        tenant: site.tenant,
        sensor: site.sensor,
        at: at(AHEAD),
    };
    store.record_seen(&[seen]).await.unwrap();
    store.clock_is(at(100)).await.unwrap();
    let told = pulse(store, &site).await;
    assert_eq!(
        (told.last_attempt_at, told.last_success_at, told.last_event_at),
        (Some(at(100)), Some(at(100)), Some(at(100)))
    );
    assert_eq!(told.sensors[0].last_seen_at, Some(at(100)));
    assert_eq!(told.last_whole.map(|run| run.ended_at), Some(at(100)));
    let ended = pulse(store, &old)
        .await
        .last_whole
        .map(|run| (run.run, run.ended_at));
    assert_eq!(ended, Some((waited, at(100))));
    assert_eq!(known_from(store, &site).await, Some(at(100)));
    let found = async |repository| {
        let named = name(repository);
        let found = store.repository(site.tenant, site.registry, &named);
        found.await.unwrap().unwrap()
    };
    let there = found("a").await;
    assert_eq!(
        (there.last_attempt_at, there.last_success_at),
        (at(100), Some(at(100)))
    );
    assert_eq!((there.first_seen_at, there.known_from), (at(100), Some(at(100))));
    assert_eq!(found("gone").await.vanished_at, Some(at(100)));
    // What happens from here on is later.
    let fence = old.start(store, 150).await;
    let run = fence.attempt.run;
    store
        .fail_attempt(&fence, &unreachable(), None, at(151))
        .await
        .unwrap();
    assert_eq!(
        pulse(store, &old).await.last_whole.map(|last| last.run),
        Some(run)
    );
    let fence = site.start(store, 200).await;
    store
        .fail_attempt(&fence, &unreachable(), None, at(201))
        .await
        .unwrap();
    let told = pulse(store, &site).await;
    let failed = Some((fence.attempt.run, RunState::Failed));
    let state = |run: Option<EndedRun>| run.map(|run| (run.run, run.state));
    assert_eq!((state(told.last_whole), state(told.last_run)), (failed, failed));
    // What is not ahead stays as it was.
    store.clock_is(at(190)).await.unwrap();
    assert_eq!(pulse(store, &site).await.last_attempt_at, Some(at(200)));
}

/// What a run saw that began before its registry's address, patterns or tag filter were changed is no success of what is wanted now; that a schedule, a
/// name or a budget was changed makes no difference.
pub async fn what_was_wanted_when_it_began_is_no_success_of_what_is_wanted_now(store: &dyn Store) {
    let site = Site::new(store).await;
    let told = async || {
        let ids = [site.registry];
        let found = store.registry_pulses(site.tenant, &ids).await.unwrap().remove(0);
        (found.last_success_at, found.changed)
    };
    let url = Some("https://moved.example.com".parse().unwrap());
    let patterns = |text: &str| Some(RepositoryPatterns::new(vec![text.to_owned()]).unwrap());
    let narrower = TagFilter {
        newest: NonZeroU32::new(3),
        ..TagFilter::default()
    };
    let nothing = RegistryChange::default;
    site.set(
        store,
        RegistryChange {
            url: url.clone(),
            ..nothing()
        },
    )
    .await;
    assert_eq!(told().await, (None, false), "nothing was ever read");
    let first = site.start(store, 5).await;
    assert_eq!(told().await, (None, false), "it is read as it is");
    site.set(
        store,
        RegistryChange {
            repositories: patterns("b*"),
            ..nothing()
        },
    )
    .await;
    store.close_run(&first, &whole(0), at(6)).await.unwrap();
    assert_eq!(told().await, (None, true), "it was read as it is no more");
    site.sync(store, &[], 7).await;
    assert_eq!(told().await, (Some(at(7)), false));
    let mut seconds = 10;
    let mut last = Some(at(7));
    for (change, counts) in [
        (nothing(), true),
        (
            RegistryChange {
                repositories: patterns("a*"),
                ..nothing()
            },
            false,
        ),
        // As it is.
        (
            RegistryChange {
                repositories: patterns("a*"),
                ..nothing()
            },
            true,
        ),
        (
            RegistryChange {
                tags: Some(narrower),
                ..nothing()
            },
            false,
        ),
        (
            RegistryChange {
                name: Some("other".parse().unwrap()),
                ..nothing()
            },
            true,
        ),
        (
            RegistryChange {
                schedule: Some(Schedule::default()),
                ..nothing()
            },
            true,
        ),
        (
            RegistryChange {
                url: Some("https://back.example.com".parse().unwrap()),
                ..nothing()
            },
            false,
        ),
    ] {
        seconds += 10;
        let fence = site.start(store, seconds).await;
        commit(store, &fence, "a", seconds).await;
        site.set(store, change.clone()).await;
        let before = told().await;
        assert_eq!(before, (last, !counts), "while it is read: {change:?}");
        let closed = store.close_run(&fence, &whole(1), at(seconds)).await.unwrap();
        assert_eq!(closed.state, RunState::Complete);
        last = if counts { Some(at(seconds)) } else { last };
        assert_eq!(told().await, (last, !counts), "{change:?}");
        // Another one does.
        seconds += 10;
        let fence = site.start(store, seconds).await;
        commit(store, &fence, "a", seconds).await;
        store.close_run(&fence, &whole(1), at(seconds)).await.unwrap();
        last = Some(at(seconds));
        assert_eq!(told().await, (last, false), "{change:?}");
    }
}

/// An attempt before it has read the registry as it was: all of that is read again, nothing of it counts as found, and what is not found any more has
/// vanished. If only a name or a schedule was changed, it goes on where the one before ended.
pub async fn an_attempt_after_a_change_of_what_is_wanted_reads_all_of_it(store: &dyn Store) {
    let nothing = RegistryChange::default;
    let newest = TagFilter {
        newest: NonZeroU32::new(3),
        ..TagFilter::default()
    };
    let patterns = vec!["a*".to_owned(), "b*".to_owned()];
    for (change, anew) in [
        (nothing(), false),
        (
            RegistryChange {
                name: Some("other".parse().unwrap()),
                schedule: Some(Schedule::default()),
                ..nothing()
            },
            false,
        ),
        (
            RegistryChange {
                url: Some("https://moved.example.com".parse().unwrap()),
                ..nothing()
            },
            true,
        ),
        (
            RegistryChange {
                repositories: Some(RepositoryPatterns::new(patterns).unwrap()),
                ..nothing()
            },
            true,
        ),
        (
            RegistryChange {
                tags: Some(newest),
                ..nothing()
            },
            true,
        ),
    ] {
        let site = Site::new(store).await;
        let both = [name("a"), name("b")];
        site.sync(store, &[("a", ONE), ("b", ONE)], 4).await;
        let first = site.start(store, 10).await;
        for repository in ["a", "b"] {
            commit(store, &first, repository, 11).await;
        }
        let finding = unreachable();
        let failed = store.fail_attempt(&first, &finding, Some(at(20)), at(12));
        assert_eq!(failed.await.unwrap(), RunState::Queued);
        assert_eq!(known_from(store, &site).await, Some(at(4)), "{change:?}");
        site.set(store, change.clone()).await;
        let still = (!anew).then(|| at(4));
        assert_eq!(known_from(store, &site).await, still, "{change:?}");
        let run = first.attempt.run;
        let lease = store.lease_run(site.tenant, run, site.sensor, site.epoch, at(20));
        let lease = lease.await.unwrap().unwrap();
        assert_eq!(lease.resumed, !anew, "{change:?}");
        let fence = site.fence(lease.attempt);
        let pending = store.pending_repositories(&fence, &both).await.unwrap();
        assert_eq!(pending, [anew, anew], "{change:?}");
        // Only one of the two is there now.
        commit(store, &fence, "a", 21).await;
        let closed = store.close_run(&fence, &whole(1), at(22)).await.unwrap();
        assert_eq!(
            (closed.state, closed.repositories_vanished),
            (RunState::Complete, u64::from(anew)),
            "{change:?}"
        );
        let told = pulse(store, &site).await;
        assert_eq!((told.last_success_at, told.changed), (Some(at(22)), false));
        let known = Some(at(if anew { 22 } else { 4 }));
        assert_eq!(known_from(store, &site).await, known, "{change:?}");
    }
}
