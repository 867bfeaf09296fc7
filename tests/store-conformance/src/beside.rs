//! Runs that events asked for, beside one other of their registry.

use std::time::Duration;

use portolan_shared::model::{
    CoverageEntry, Finding, FindingCode, RepositoryOutcome, RunId, RunState, SensorId,
};
use portolan_store::{
    Fence, OfferedRepository, QueueOutcome, RegistryChange, RepositoryCommit, RepositoryRecord,
    SessionOpening, SessionOutcome, Store, StoreError,
};

use crate::site::{
    Site, at, commit_listed, commit_of, name, note, opening, present, requeue_expired, sensor, session, whole,
};

/// A second sensor in session, that may read the registry, too.
async fn second(store: &dyn Store, site: &Site) -> (SensorId, u64) {
    let (second, serial) = sensor(store, site.tenant, "second").await;
    let epoch = session(store, site.tenant, second, serial).await;
    let change = RegistryChange {
        sensors: Some(vec![second, site.sensor]),
        ..RegistryChange::default()
    };
    site.set(store, change).await;
    (second, epoch)
}

async fn queue(store: &dyn Store, run: portolan_store::NewRun) -> RunId {
    assert_eq!(
        store.queue_run(&run, &note()).await.unwrap(),
        QueueOutcome::Queued
    );
    run.id
}

async fn leasable(store: &dyn Store, sensors: &[SensorId], seconds: i64) -> Vec<(RunId, Vec<SensorId>)> {
    let found = store.leasable_runs(at(seconds), sensors, 10).await.unwrap();
    found.into_iter().map(|run| (run.run, run.sensors)).collect()
}

async fn state(store: &dyn Store, fence: &Fence) -> RunState {
    let run = store.run(fence.tenant, fence.attempt.run).await.unwrap();
    run.unwrap().state
}

fn part(repository: &str, tag: &str, content: Option<&str>) -> RepositoryCommit {
    let tags: Vec<(&str, &str)> = content.map(|content| (tag, content)).into_iter().collect();
    RepositoryCommit {
        only: Some(vec![tag.parse().unwrap()]),
        ..commit_of(repository, &tags, RepositoryOutcome::Listed)
    }
}

/// One at a time, by the sensor that has the other: it looks at a repository for one of them at a time.
pub async fn an_event_run_goes_beside_one_other_on_the_same_sensor(store: &dyn Store) {
    let site = Site::new(store).await;
    let (second, epoch) = second(store, &site).await;
    let both = [site.sensor, second];
    let main = site.start(store, 10).await;
    let events = queue(store, site.event_run(&["a:1"], 11)).await;
    let refused = store.queue_run(&site.event_run(&["b:1"], 11), &note()).await;
    assert!(
        matches!(refused, Err(StoreError::Refused { .. })),
        "one at a time"
    );
    let other = site.queue_scope(store, &["a"], 12).await;
    assert_eq!(leasable(store, &both, 13).await, [(events, vec![site.sensor])]);
    assert!(leasable(store, &[second], 13).await.is_empty());
    let looks = |now| store.leasable_looks(at(now), &both, 10);
    let found: Vec<_> = looks(13)
        .await
        .unwrap()
        .into_iter()
        .map(|look| look.run)
        .collect();
    assert_eq!(found, [events], "the other is none");
    let lease = |run, sensor, epoch| store.lease_run(site.tenant, run, sensor, epoch, at(14));
    assert!(lease(events, second, epoch).await.unwrap().is_none());
    assert!(
        lease(other, site.sensor, site.epoch).await.unwrap().is_none(),
        "that would be two of a kind"
    );
    let beside = site.lease(store, events, 14).await;
    assert!(looks(15).await.unwrap().is_empty());
    assert!(leasable(store, &both, 15).await.is_empty());

    store.close_run(&main, &whole(0), at(16)).await.unwrap();
    assert_eq!(state(store, &beside).await, RunState::Leased);
    assert_eq!(leasable(store, &both, 17).await, [(other, vec![site.sensor])]);
    assert!(lease(other, second, epoch).await.unwrap().is_none());
    let main = site.lease(store, other, 17).await;
    store
        .cancel_run(site.tenant, events, at(18), &note())
        .await
        .unwrap();
    assert_eq!(state(store, &main).await, RunState::Leased);
    store
        .cancel_run(site.tenant, other, at(18), &note())
        .await
        .unwrap();
    let events = queue(store, site.event_run(&["a:1"], 19)).await;
    assert_eq!(
        leasable(store, &both, 19).await,
        [(events, vec![second, site.sensor])]
    );
}

/// In whatever session that is now, once it has taken its work along.
pub async fn both_go_on_in_the_sensors_next_session(store: &dyn Store) {
    let mut site = Site::new(store).await;
    let main = site.start(store, 10).await;
    let events = queue(store, site.event_run(&["a:1"], 11)).await;
    site.reconnect(store).await;
    let lease = |epoch| store.lease_run(site.tenant, events, site.sensor, epoch, at(12));
    assert!(
        lease(site.epoch).await.unwrap().is_none(),
        "the other is still of the session before"
    );
    let adopt = |epoch, running: Vec<_>| async move {
        let kept = store
            .adopt_leases(site.tenant, site.sensor, epoch, &running, at(13))
            .await;
        kept.unwrap()
    };
    assert_eq!(adopt(site.epoch, vec![main.attempt]).await, [main.attempt]);
    let beside = site.fence(lease(site.epoch).await.unwrap().unwrap().attempt);
    let (tenant, sensor, serial) = (site.tenant, site.sensor, site.serial);
    let next = session(store, tenant, sensor, serial).await;
    let running = vec![main.attempt, beside.attempt];
    let mut kept = adopt(next, running.clone()).await;
    kept.sort_by_key(|attempt| attempt.run != main.attempt.run);
    assert_eq!(kept, running);
}

/// The lost one waits until the sensor that has the other is done, or lost itself.
pub async fn a_lost_run_is_not_taken_up_elsewhere_while_the_other_goes_on(store: &dyn Store) {
    let site = Site::new(store).await;
    let (second, epoch) = second(store, &site).await;
    let main = site.start(store, 10).await;
    let beside = site.start_event_run(store, &["a:1"], 11).await;
    store.renew_leases(&[beside], at(60)).await.unwrap();
    let lost = requeue_expired(store, 90).await;
    assert!(lost.iter().any(|lost| lost.attempt == main.attempt));
    assert!(!lost.iter().any(|lost| lost.attempt == beside.attempt));
    let run = main.attempt.run;
    let lease = |seconds| store.lease_run(site.tenant, run, second, epoch, at(seconds));
    assert!(lease(91).await.unwrap().is_none());
    assert!(leasable(store, &[second], 91).await.is_empty());
    store.close_run(&beside, &whole(1), at(92)).await.unwrap();
    assert!(lease(93).await.unwrap().is_some());
}

/// Its listing may be older than what was seen beside it.
pub async fn what_was_seen_beside_a_run_has_not_vanished_by_it(store: &dyn Store) {
    let site = Site::new(store).await;
    let one: &[(&str, &str)] = &[("1", "one")];
    site.sync(
        store,
        &[("a", one), ("b", one), ("c", one), ("d", one), ("gone", one)],
        10,
    )
    .await;
    let main = site.start(store, 20).await;
    commit_listed(store, &main, "a", 21).await;
    // The rest was deleted when it was listed; then these were pushed again, one for the first time, and one was looked at in vain.
    let lines = ["b", "c:2", "d:1", "new:1"];
    let beside = site.start_event_run(store, &lines, 22).await;
    let offer = OfferedRepository {
        repository: name("b"),
        state_hash: commit_of("b", one, RepositoryOutcome::Listed).state_hash,
        tags: 1,
        age: Duration::ZERO,
    };
    let changed = store.offer_repositories(&beside, &[offer], at(23)).await.unwrap();
    assert_eq!(changed, [false]);
    for part in [
        part("c", "2", Some("two")),
        part("d", "1", None),
        part("new", "1", Some("new")),
    ] {
        store.commit_repository(&beside, &part, at(23)).await.unwrap();
    }
    let closed = store.close_run(&main, &whole(1), at(24)).await.unwrap();
    assert_eq!(
        (closed.state, closed.repositories_vanished),
        (RunState::Complete, 2),
        "d has no tag left"
    );
    assert_eq!(present(store, &site).await, ["a", "b", "c", "new"]);
    store.close_run(&beside, &whole(4), at(25)).await.unwrap();
    site.sync(store, &[("a", one)], 30).await;
    assert_eq!(
        present(store, &site).await,
        ["a"],
        "the next one has listed later"
    );
}

/// They say nothing of the whole.
pub async fn event_runs_are_no_attempts_to_read_a_registry(store: &dyn Store) {
    let site = Site::new(store).await;
    let beside = site.start_event_run(store, &["a:1"], 10).await;
    assert_eq!(site.record(store).await.last_attempt_at, None);
    let closed = store.close_run(&beside, &whole(0), at(11)).await.unwrap();
    assert_eq!(closed.state, RunState::Complete);
    assert_eq!(site.record(store).await.last_success_at, None);
    let all = site.start_event_run(store, &[], 12).await;
    assert_eq!(site.record(store).await.last_attempt_at, Some(at(12)));
    store.close_run(&all, &whole(0), at(13)).await.unwrap();
    assert_eq!(site.record(store).await.last_success_at, Some(at(13)));
}

async fn repository(store: &dyn Store, site: &Site) -> RepositoryRecord {
    let found = store.repository(site.tenant, site.registry, &name("a")).await;
    found.unwrap().unwrap()
}

/// A look that fails says nothing of the whole, and neither does one that succeeds.
pub async fn a_failed_look_does_not_make_a_listed_repository_a_failed_one(store: &dyn Store) {
    let site = Site::new(store).await;
    site.sync(store, &[("a", &[("1", "one")])], 10).await;
    let entry = CoverageEntry {
        repository: name("a"),
        outcome: RepositoryOutcome::Failed,
        finding: Some(Finding::new(FindingCode::Unreachable, "connection reset")),
    };
    let failing = site.start_event_run(store, &["a:1"], 20).await;
    store
        .report_coverage(&failing, std::slice::from_ref(&entry), at(21))
        .await
        .unwrap();
    let closed = store.close_run(&failing, &whole(1), at(22)).await.unwrap();
    assert_eq!(closed.state, RunState::Partial, "the run tells of it");
    let after = repository(store, &site).await;
    assert_eq!(
        (after.outcome, after.last_attempt_at, after.last_success_at),
        (RepositoryOutcome::Listed, at(21), Some(at(10)))
    );
    let good = site.start_event_run(store, &["a:1"], 30).await;
    store
        .commit_repository(&good, &part("a", "1", Some("one")), at(31))
        .await
        .unwrap();
    store.close_run(&good, &whole(1), at(32)).await.unwrap();
    assert_eq!(repository(store, &site).await.outcome, RepositoryOutcome::Listed);
    let all = site.start(store, 40).await;
    store.report_coverage(&all, &[entry], at(41)).await.unwrap();
    assert_eq!(
        repository(store, &site).await.outcome,
        RepositoryOutcome::Failed,
        "of the whole it counts"
    );
}

/// What came back by a look at one of its tags was not seen completely since it was gone.
pub async fn what_vanished_is_complete_only_once_it_was_listed_again(store: &dyn Store) {
    let site = Site::new(store).await;
    site.sync(store, &[("a", &[("1", "one"), ("2", "two")])], 10)
        .await;
    site.sync(store, &[], 20).await;
    assert_eq!(repository(store, &site).await.last_success_at, None);
    let look = site.start_event_run(store, &["a:1"], 30).await;
    store
        .commit_repository(&look, &part("a", "1", Some("one")), at(31))
        .await
        .unwrap();
    store.close_run(&look, &whole(1), at(32)).await.unwrap();
    let back = repository(store, &site).await;
    assert_eq!(
        (back.vanished_at, back.tags, back.last_success_at),
        (None, 1, None)
    );
    site.sync(store, &[("a", &[("1", "one")])], 40).await;
    assert_eq!(repository(store, &site).await.last_success_at, Some(at(40)));
}

/// Of what was asked for one by one, only those without an answer are not known; they are not among the names.
pub async fn a_look_without_all_answers_still_says_what_is_gone(store: &dyn Store) {
    let site = Site::new(store).await;
    site.sync(store, &[("a", &[("1", "one"), ("2", "two"), ("3", "three")])], 10)
        .await;
    let look = site.start_event_run(store, &["a:1", "a:2", "a:3"], 20).await;
    let cut = RepositoryCommit {
        only: Some(vec!["1".parse().unwrap(), "2".parse().unwrap()]),
        ..commit_of("a", &[("1", "other")], RepositoryOutcome::Truncated)
    };
    let counts = store.commit_repository(&look, &cut, at(21)).await.unwrap();
    assert_eq!((counts.moved, counts.vanished), (1, 1));
    store.close_run(&look, &whole(1), at(22)).await.unwrap();
    assert_eq!(
        repository(store, &site).await.tags,
        2,
        "of the third nothing is known"
    );
}

/// The agent of a release before looks at a repository for both at once, and would commit the one over the other.
pub async fn nothing_goes_beside_another_on_a_sensor_that_looks_for_both_at_once(store: &dyn Store) {
    let mut site = Site::new(store).await;
    let before = SessionOpening {
        looks_beside: false,
        ..opening(site.tenant, site.sensor, site.serial)
    };
    let SessionOutcome::Opened(opened) = store.open_session(&before).await.unwrap() else {
        panic!("it is let in");
    };
    site.epoch = opened.epoch;
    for (first, second) in [(&[][..], &["a:1"][..]), (&["a:1"], &[])] {
        let held = match first {
            [] => site.start(store, 10).await,
            lines => site.start_event_run(store, lines, 10).await,
        };
        let waits = match second {
            [] => site.queue(store, 11).await,
            lines => site.queue_look(store, lines, 11).await,
        };
        assert!(leasable(store, &[site.sensor], 12).await.is_empty());
        let lease = store.lease_run(site.tenant, waits, site.sensor, site.epoch, at(12));
        assert!(lease.await.unwrap().is_none());
        store.close_run(&held, &whole(0), at(13)).await.unwrap();
        assert_eq!(
            leasable(store, &[site.sensor], 14).await,
            [(waits, vec![site.sensor])]
        );
        let waited = site.lease(store, waits, 14).await;
        store.close_run(&waited, &whole(0), at(15)).await.unwrap();
    }
}
