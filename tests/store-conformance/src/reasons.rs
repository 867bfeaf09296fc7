//! Why runs were asked for, and in what order they go.

use portolan_shared::model::{Finding, FindingCode, RunTrigger, limits};
use portolan_store::{NewRun, QueueOutcome, RunReason, Store};

use crate::site::{Site, at, entries, note};

fn asked(site: &Site, trigger: RunTrigger, repositories: &[&str], seconds: i64) -> NewRun {
    NewRun {
        trigger,
        requested_by: trigger.to_string(),
        ..site.new_run(repositories, seconds)
    }
}

/// People first, then what events named, then the clock; of these the oldest.
pub async fn people_go_before_events_and_events_before_schedules(store: &dyn Store) {
    let site = Site::new(store).await;
    let mut expected = Vec::new();
    for (registry, trigger, seconds, place) in [
        ("r1", RunTrigger::Schedule, 10, 3),
        ("r2", RunTrigger::Reconcile, 11, 4),
        ("r3", RunTrigger::Event, 12, 2),
        ("r4", RunTrigger::Manual, 13, 0),
        ("r5", RunTrigger::Manual, 14, 1),
    ] {
        let beside = site.beside(store, registry).await;
        let run = asked(&beside, trigger, &["a"], seconds);
        store.queue_run(&run, &note()).await.unwrap();
        expected.push((place, run));
    }
    expected.sort_by_key(|(place, _)| *place);
    let order = async || {
        let found = store.leasable_runs(at(20), &[site.sensor], 100).await.unwrap();
        found.into_iter().map(|run| run.run).collect::<Vec<_>>()
    };
    let mut runs: Vec<_> = expected.iter().map(|(_, run)| run.id).collect();
    assert_eq!(order().await, runs);
    let first = store.leasable_runs(at(20), &[site.sensor], 2).await.unwrap();
    assert_eq!(first.iter().map(|run| run.run).collect::<Vec<_>>(), runs[..2]);
    // A person wants it, too.
    let joining = NewRun {
        trigger: RunTrigger::Manual,
        ..expected[3].1.clone()
    };
    let joined = store.queue_run(&joining, &note()).await.unwrap();
    assert_eq!(joined, QueueOutcome::Joined(runs[3]));
    runs.swap(2, 3);
    runs[..3].rotate_right(1);
    assert_eq!(
        order().await,
        runs,
        "it has waited for longer than the others that people want"
    );
}

/// Up to a bound; those that join write nothing else.
pub async fn everything_that_asked_for_a_run_is_noted_with_it(store: &dyn Store) {
    let site = Site::new(store).await;
    let before = entries(store, site.tenant).await;
    let first = asked(&site, RunTrigger::Schedule, &[], 10);
    store.queue_run(&first, &note()).await.unwrap();
    let join = async |trigger, seconds| {
        let joined = store
            .queue_run(&asked(&site, trigger, &[], seconds), &note())
            .await;
        assert_eq!(joined.unwrap(), QueueOutcome::Joined(first.id));
    };
    join(RunTrigger::Manual, 11).await;
    site.lease(store, first.id, 12).await;
    join(RunTrigger::Reconcile, 13).await;
    let reason = |trigger: RunTrigger, seconds| RunReason {
        trigger,
        requested_by: trigger.to_string(),
        at: at(seconds),
    };
    let mut expected = vec![
        reason(RunTrigger::Schedule, 10),
        reason(RunTrigger::Manual, 11),
        reason(RunTrigger::Reconcile, 13),
    ];
    let run = async || store.run(site.tenant, first.id).await.unwrap().unwrap();
    let stored = run().await;
    assert_eq!(
        (stored.trigger, &stored.reasons),
        (RunTrigger::Schedule, &expected)
    );
    assert_eq!(entries(store, site.tenant).await, before + 1);
    let bound = i64::try_from(limits::RUN_REASONS).unwrap();
    for seconds in 20..20 + bound {
        join(RunTrigger::Schedule, seconds).await;
        expected.push(reason(RunTrigger::Schedule, seconds));
    }
    expected.truncate(limits::RUN_REASONS);
    let stored = run().await;
    assert_eq!((&stored.reasons, stored.more_reasons), (&expected, 3));
}

/// At the bound it takes the place of one of which there are others; nobody else's reason is forgotten for it.
pub async fn what_asks_for_a_run_for_the_first_time_is_noted_however_many_did_before(store: &dyn Store) {
    let site = Site::new(store).await;
    let first = asked(&site, RunTrigger::Schedule, &[], 10);
    store.queue_run(&first, &note()).await.unwrap();
    let bound = i64::try_from(limits::RUN_REASONS).unwrap();
    let again = (11..10 + bound).map(|at| (RunTrigger::Schedule, at));
    let others = [
        RunTrigger::Event,
        RunTrigger::Reconcile,
        RunTrigger::Manual,
        RunTrigger::Manual,
    ];
    let others = others.into_iter().zip(100..);
    for (trigger, seconds) in again.chain(others) {
        let wish = asked(&site, trigger, &[], seconds);
        let joined = store.queue_run(&wish, &note()).await;
        assert_eq!(joined.unwrap(), QueueOutcome::Joined(first.id));
    }
    let stored = store.run(site.tenant, first.id).await.unwrap().unwrap();
    let noted: Vec<_> = stored.reasons.iter().map(|reason| reason.at).collect();
    let expected = (10..10 + bound - 3).chain([100, 101, 102]).map(at);
    assert_eq!(noted, Vec::from_iter(expected));
    assert_eq!(stored.more_reasons, 4);
}

/// It looks when the event has come, not when somebody else has looked.
pub async fn event_runs_join_nothing_but_a_look_at_the_whole(store: &dyn Store) {
    let site = Site::new(store).await;
    let some = site.queue_scope(store, &["a"], 10).await;
    let events = store
        .queue_run(&site.event_run(&["a"], 11), &note())
        .await
        .unwrap();
    assert_eq!(events, QueueOutcome::Queued);
    let again = store.queue_run(&site.new_run(&["a"], 12), &note()).await.unwrap();
    assert_eq!(again, QueueOutcome::Joined(some), "nor does anybody join them");
    let all = site.queue(store, 13).await;
    let events = store.queue_run(&site.event_run(&[], 14), &note()).await.unwrap();
    assert_eq!(events, QueueOutcome::Joined(all));
    let stored = store.run(site.tenant, all).await.unwrap().unwrap();
    assert_eq!(stored.reasons[1].trigger, RunTrigger::Event);
}

/// But for what his registry has asked for; and it is still said what went wrong.
pub async fn whoever_asks_for_a_run_that_is_to_be_tried_again_has_it_at_once(store: &dyn Store) {
    let site = Site::new(store).await;
    for (code, at_once) in [
        (FindingCode::Unreachable, true),
        (FindingCode::RateLimited, false),
        (FindingCode::BudgetSpent, false),
    ] {
        let here = site.beside(store, &code.as_str().replace('.', "-")).await;
        let fence = here.start(store, 10).await;
        let failed = Finding::new(code, "it did not work");
        store
            .fail_attempt(&fence, &failed, Some(at(3_000)), at(11))
            .await
            .unwrap();
        let run = fence.attempt.run;
        let stored = async || store.run(here.tenant, run).await.unwrap().unwrap();
        for (trigger, seconds, not_before) in [
            (RunTrigger::Schedule, 20, 3_000),
            (RunTrigger::Manual, 30, if at_once { 30 } else { 3_000 }),
        ] {
            let joined = store
                .queue_run(&asked(&here, trigger, &[], seconds), &note())
                .await
                .unwrap();
            assert_eq!(joined, QueueOutcome::Joined(run));
            let run = stored().await;
            assert_eq!(run.not_before, at(not_before), "{code} {trigger}");
            assert_eq!(run.finding, Some(failed.clone()));
        }
        let lease = store.lease_run(here.tenant, run, here.sensor, here.epoch, at(30));
        assert_eq!(lease.await.unwrap().is_some(), at_once, "{code}");
    }
}
