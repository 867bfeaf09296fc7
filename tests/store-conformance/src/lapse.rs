//! Runs that nobody takes, and runs that take too long.

use std::num::NonZeroU32;

use portolan_shared::model::limits::{
    self, FRUITLESS_ATTEMPTS, LEASE_SECONDS, RUN_SECONDS, RUN_SECONDS_BUDGETED,
};
use portolan_shared::model::{
    Budget, Finding, FindingCode, Reason, RunId, RunProgress, RunState, RunTrigger,
};
use portolan_store::{
    HeldAttempt, Lapse, LapsedRun, NewRun, RegistryChange, Schedule, StaleFence, Store, StoreError,
    WaitsSince,
};

use crate::site::{Site, at, name, note, requeue_expired, whole};

/// What has lapsed of a site, of what was queued before this second.
async fn lapsed(store: &dyn Store, site: &Site, now: i64, queued_before: i64) -> Vec<LapsedRun> {
    let waits = WaitsSince {
        for_a_sensor: at(queued_before),
        for_anything: at(-1_000_000),
    };
    lapsed_since(store, site, now, waits).await
}

async fn lapsed_since(store: &dyn Store, site: &Site, now: i64, waits: WaitsSince) -> Vec<LapsedRun> {
    let found = store.lapsed_runs(at(now), waits, 1_000).await.unwrap();
    found
        .into_iter()
        .filter(|run| run.tenant == site.tenant)
        .collect()
}

async fn deadline(store: &dyn Store, site: &Site, run: RunId) -> Option<i64> {
    let run = store.run(site.tenant, run).await.unwrap().unwrap();
    run.deadline_at
        .map(|deadline| deadline.as_second() - at(0).as_second())
}

fn at_most(seconds: u32) -> Schedule {
    Schedule {
        max_run_seconds: NonZeroU32::new(seconds),
        ..Schedule::default()
    }
}

fn finding() -> Finding {
    Finding::new(FindingCode::Internal, "it has lapsed")
}

/// Counted from when it may be taken; whoever is first ends it.
pub async fn a_run_that_nobody_takes_ends(store: &dyn Store) {
    let site = Site::new(store).await;
    let run = site.queue(store, 10).await;
    let taken = site.beside(store, "taken").await.start(store, 10).await;
    let beside = site.beside(store, "later").await;
    let later = beside.start(store, 10).await;
    store
        .fail_attempt(&later, &finding(), Some(at(50)), at(11))
        .await
        .unwrap();
    assert!(lapsed(store, &site, 100, 10).await.is_empty());
    let found = lapsed(store, &site, 100, 11).await;
    let expected = LapsedRun {
        tenant: site.tenant,
        run,
        registry: site.registry,
        lapse: Lapse::NotTaken,
        asked_at: Some(at(10)),
        held: None,
    };
    assert_eq!(found, std::slice::from_ref(&expected));
    assert_eq!(
        lapsed(store, &site, 100, 51).await.len(),
        2,
        "the other may be taken since 50"
    );
    assert_eq!(
        lapsed(store, &site, 100, 100).await.len(),
        2,
        "what is leased is taken"
    );

    let finding = finding();
    let ends = (0..4).map(|_| store.end_lapsed(&expected, &finding, at(100)));
    let ended = futures::future::join_all(ends).await;
    assert_eq!(
        ended.into_iter().filter(|ended| *ended.as_ref().unwrap()).count(),
        1
    );
    let stored = store.run(site.tenant, run).await.unwrap().unwrap();
    assert_eq!(
        (stored.state, stored.ended_at, stored.finding),
        (RunState::Failed, Some(at(100)), Some(finding.clone()))
    );
    // Somebody took it after it was looked at.
    let run = site.queue(store, 110).await;
    let seen = lapsed(store, &site, 120, 111)
        .await
        .into_iter()
        .find(|lapsed| lapsed.run == run)
        .unwrap();
    let fence = site.lease(store, run, 121).await;
    assert!(!store.end_lapsed(&seen, &finding, at(122)).await.unwrap());
    store.check_fence(&fence).await.unwrap();
    store.check_fence(&taken).await.unwrap();
}

/// However many ask; but not for ever.
pub async fn a_run_has_its_time_from_when_a_person_last_asked_for_it(store: &dyn Store) {
    let site = Site::new(store).await;
    let ask = async |trigger, seconds| {
        let wish = NewRun {
            trigger,
            ..site.new_run(&[], seconds)
        };
        store.queue_run(&wish, &note()).await.unwrap();
        wish.id
    };
    let run = ask(RunTrigger::Schedule, 10).await;
    ask(RunTrigger::Schedule, 50).await;
    let lapses = async |now, queued_before| {
        let found = lapsed(store, &site, now, queued_before).await;
        found.into_iter().find(|lapsed| lapsed.run == run)
    };
    let seen = lapses(100, 11).await.unwrap();
    assert_eq!(seen.asked_at, None, "a schedule's starts give it no more time");
    // More than are noted one by one.
    for seconds in 60..60 + i64::try_from(2 * limits::RUN_REASONS).unwrap() {
        ask(RunTrigger::Manual, seconds).await;
    }
    let last = 59 + i64::try_from(2 * limits::RUN_REASONS).unwrap();
    assert!(
        !store.end_lapsed(&seen, &finding(), at(100)).await.unwrap(),
        "he asked after it was looked at"
    );
    assert_eq!(lapses(200, last).await, None);
    let found = lapses(200, last + 1).await.unwrap();
    assert_eq!((found.lapse, found.asked_at), (Lapse::NotTaken, Some(at(last))));
    // Somebody who asks again and again keeps it for as long as a run may wait at all.
    for (for_anything, lapse) in [(10, None), (11, Some(Lapse::WaitedTooLong))] {
        let waits = WaitsSince {
            for_a_sensor: at(last),
            for_anything: at(for_anything),
        };
        let found = lapsed_since(store, &site, 200, waits).await;
        assert_eq!(found.first().map(|lapsed| lapsed.lapse), lapse);
    }
    // What a clock that was ahead has noted gives it no more.
    ask(RunTrigger::Manual, 90_000).await;
    store.clock_is(at(300)).await.unwrap();
    assert_eq!(lapses(400, 300).await, None);
    let found = lapses(400, 301).await.unwrap();
    assert_eq!(found.asked_at, Some(at(300)));
    assert!(store.end_lapsed(&found, &finding(), at(400)).await.unwrap());
}

/// From its first lease on; everything of it is fenced off from then, and what it has committed stays.
pub async fn a_run_that_takes_too_long_ends(store: &dyn Store) {
    let site = Site::new(store).await;
    site.read(store, at_most(60), 5).await;
    let first = site.start(store, 10).await;
    let run = first.attempt.run;
    assert_eq!(deadline(store, &site, run).await, Some(70));
    store.return_lease(&first, at(20)).await.unwrap();
    assert_eq!(
        lapsed(store, &site, 70, 0).await[0].held,
        None,
        "even if nobody has it just now"
    );
    let fence = site.lease(store, run, 30).await;
    assert_eq!(
        deadline(store, &site, run).await,
        Some(70),
        "the attempts together"
    );
    crate::site::commit_listed(store, &fence, "a", 31).await;
    assert!(lapsed(store, &site, 69, 0).await.is_empty());
    let [found] = &lapsed(store, &site, 70, 0).await[..] else {
        panic!("one has lapsed")
    };
    let held = Some((site.sensor, fence.attempt));
    assert_eq!((found.run, found.lapse, found.held), (run, Lapse::TooLong, held));
    let earlier = LapsedRun {
        held: Some((site.sensor, first.attempt)),
        ..found.clone()
    };
    assert!(
        !store.end_lapsed(&earlier, &finding(), at(70)).await.unwrap(),
        "that one has ended"
    );
    assert!(
        !store.end_lapsed(found, &finding(), at(69)).await.unwrap(),
        "it may go on"
    );
    assert!(store.end_lapsed(found, &finding(), at(71)).await.unwrap());
    let stale = store.close_run(&fence, &whole(1), at(72)).await.unwrap_err();
    assert!(matches!(stale, StoreError::Stale(StaleFence::Attempt)), "{stale}");
    let held = HeldAttempt {
        tenant: site.tenant,
        sensor: site.sensor,
        attempt: fence.attempt,
    };
    let withdrawn = store.withdrawn_leases(&[held]).await.unwrap();
    assert_eq!(withdrawn[0].reason, Reason::StaleAttempt);
    let stored = store.run(site.tenant, run).await.unwrap().unwrap();
    assert_eq!((stored.state, stored.coverage.listed), (RunState::Failed, 1));
    let kept = store
        .repository(site.tenant, site.registry, &name("a"))
        .await
        .unwrap();
    assert_eq!(kept.unwrap().tags, 1);
    assert!(lapsed(store, &site, 1_000, 0).await.is_empty());
}

/// A day unless somebody says otherwise, or has bounded its requests a day; what is said counts for runs that are open.
pub async fn how_long_a_run_may_take_can_be_said_at_any_time(store: &dyn Store) {
    let site = Site::new(store).await;
    let waiting = site.queue_scope(store, &["a"], 10).await;
    let run = site.start(store, 10).await.attempt.run;
    let day = 10 + i64::from(RUN_SECONDS);
    assert_eq!(deadline(store, &site, run).await, Some(day));
    let budget = |per_day| RegistryChange {
        budget: Some(Budget {
            per_day: NonZeroU32::new(per_day),
            ..Budget::default()
        }),
        ..RegistryChange::default()
    };
    site.set(store, budget(1_000)).await;
    assert_eq!(
        deadline(store, &site, run).await,
        Some(10 + i64::from(RUN_SECONDS_BUDGETED))
    );
    site.read(store, at_most(600), 20).await;
    assert_eq!(deadline(store, &site, run).await, Some(610));
    assert_eq!(deadline(store, &site, waiting).await, None, "it has not begun");
    site.set(store, budget(0)).await;
    assert_eq!(deadline(store, &site, run).await, Some(610));
    site.read(store, Schedule::default(), 30).await;
    assert_eq!(deadline(store, &site, run).await, Some(day));
}

/// Requests of a day that are used up each time that it could begin, and whatever else there may be: to a bound, and only what has never begun.
pub async fn a_run_that_waits_for_other_things_ends_at_last(store: &dyn Store) {
    let site = Site::new(store).await;
    let waits = |for_anything| WaitsSince {
        for_a_sensor: at(100),
        for_anything: at(for_anything),
    };
    let begun = site.beside(store, "begun").await.start(store, 10).await;
    store
        .fail_attempt(&begun, &finding(), Some(at(90_000)), at(11))
        .await
        .unwrap();
    site.set(store, a_day(1)).await;
    let other = site.start(store, 9).await;
    let spent = RunProgress {
        requests: 5,
        ..RunProgress::default()
    };
    store.record_progress(&other, &spent, at(9)).await.unwrap();
    store.close_run(&other, &whole(0), at(9)).await.unwrap();
    let run = site.queue(store, 10).await;
    let lease = store.lease_run(site.tenant, run, site.sensor, site.epoch, at(10));
    assert!(lease.await.unwrap().is_none(), "there are no requests left");
    let stored = store.run(site.tenant, run).await.unwrap().unwrap();
    assert!(stored.not_before > at(80_000));
    assert!(
        lapsed_since(store, &site, 200, waits(10)).await.is_empty(),
        "it may wait for as long"
    );
    let [found] = &lapsed_since(store, &site, 200, waits(11)).await[..] else {
        panic!("one has lapsed")
    };
    assert_eq!(
        (found.run, found.lapse, found.held),
        (run, Lapse::WaitedTooLong, None)
    );
    assert!(store.end_lapsed(found, &finding(), at(200)).await.unwrap());
}

/// Requests that a registry is to have in a day.
fn a_day(requests: u32) -> RegistryChange {
    RegistryChange {
        budget: Some(Budget {
            per_day: NonZeroU32::new(requests),
            ..Budget::default()
        }),
        ..RegistryChange::default()
    }
}

/// From the first on, and until it is leased again.
pub async fn five_lost_attempts_end_a_run_and_say_so(store: &dyn Store) {
    let site = Site::new(store).await;
    let run = site.queue(store, 0).await;
    for attempt in 1..=FRUITLESS_ATTEMPTS {
        let seconds = i64::from(attempt) * 100;
        site.lease(store, run, seconds).await;
        let stored = store.run(site.tenant, run).await.unwrap().unwrap();
        assert_eq!(stored.finding, None, "attempt {attempt}");
        requeue_expired(store, seconds + 75).await;
        let stored = store.run(site.tenant, run).await.unwrap().unwrap();
        let said = stored.finding.unwrap();
        assert_eq!(said.code, FindingCode::RunSensorLost, "attempt {attempt}");
        assert!(
            said.seen.contains(&format!("attempt {attempt} ")),
            "{}",
            said.seen
        );
        let expected = if attempt == FRUITLESS_ATTEMPTS {
            RunState::Failed
        } else {
            RunState::Queued
        };
        assert_eq!(stored.state, expected);
    }
}

/// It holds its registry for as long as leases last, and may take as long as others, from now.
pub async fn what_was_leased_by_a_clock_that_was_ahead_ends(store: &dyn Store) {
    const AHEAD: i64 = 40 * 86_400;
    let site = Site::new(store).await;
    site.read(store, at_most(600), 5).await;
    let run = site.start(store, AHEAD).await.attempt.run;
    let kept = site.beside(store, "kept").await.start(store, 10).await;
    store.clock_is(at(20)).await.unwrap();
    assert_eq!(deadline(store, &site, run).await, Some(620));
    let stored = store.run(site.tenant, run).await.unwrap().unwrap();
    assert_eq!((stored.queued_at, stored.started_at), (at(20), Some(at(20))));
    let in_time = deadline(store, &site, kept.attempt.run).await;
    assert_eq!(in_time, Some(10 + i64::from(RUN_SECONDS)), "it was begun in time");
    let over = 20 + i64::try_from(LEASE_SECONDS).unwrap() + 15;
    let lost = async |seconds| {
        let taken = requeue_expired(store, seconds).await;
        taken.iter().any(|lost| lost.attempt.run == run)
    };
    assert!(!lost(over - 1).await);
    assert!(lost(over).await);
    site.lease(store, run, over).await;
    assert_eq!(lapsed(store, &site, 620, 0).await[0].run, run);
}

/// Whatever it waits for; and requests of days that have not come count for nothing.
pub async fn what_waits_by_a_clock_that_was_ahead_waits_no_longer_than_it_may(store: &dyn Store) {
    const AHEAD: i64 = 40 * 86_400;
    let site = Site::new(store).await;
    let lost = site.start(store, AHEAD).await.attempt.run;
    requeue_expired(store, AHEAD + 75).await;
    let budgeted = site.beside(store, "budgeted").await;
    budgeted.set(store, a_day(1)).await;
    let fence = budgeted.start(store, AHEAD).await;
    let spent = RunProgress {
        requests: 5,
        ..RunProgress::default()
    };
    store.record_progress(&fence, &spent, at(AHEAD)).await.unwrap();
    store.close_run(&fence, &whole(0), at(AHEAD)).await.unwrap();
    let waits = budgeted.queue(store, AHEAD).await;
    let lease = |seconds| store.lease_run(site.tenant, waits, site.sensor, site.epoch, at(seconds));
    assert!(lease(AHEAD).await.unwrap().is_none());
    store.clock_is(at(20)).await.unwrap();
    site.lease(store, lost, 20).await;
    let stored = store.run(site.tenant, waits).await.unwrap().unwrap();
    let day = 20 + 24 * 3_600 + 15 * 60;
    assert_eq!(stored.not_before, at(day));
    assert!(lease(day).await.unwrap().is_some());
}
