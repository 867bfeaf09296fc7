//! Runs that are asked for while another one of the same registry and scope has begun: that may have looked too early.

use portolan_shared::model::{Finding, FindingCode, RunId, RunState, RunTrigger};
use portolan_store::{Fence, Lapse, LapsedRun, NewRun, QueueOutcome, RunRecord, Schedule, Store, WaitsSince};

use crate::site::{Site, at, commit_listed, entries, note, requeue_expired, whole};

async fn ask(store: &dyn Store, site: &Site, trigger: RunTrigger, seconds: i64) -> (RunId, QueueOutcome) {
    let wish = NewRun {
        trigger,
        requested_by: trigger.to_string(),
        ..site.new_run(&[], seconds)
    };
    (wish.id, store.queue_run(&wish, &note()).await.unwrap())
}

/// Asks as a person does, and gives the run that is queued for that.
async fn follow(store: &dyn Store, site: &Site, seconds: i64) -> RunId {
    let (run, outcome) = ask(store, site, RunTrigger::Manual, seconds).await;
    assert_eq!(outcome, QueueOutcome::Queued);
    run
}

/// A run that a schedule has started.
async fn started(store: &dyn Store, site: &Site, seconds: i64) -> Fence {
    let (run, outcome) = ask(store, site, RunTrigger::Schedule, seconds).await;
    assert_eq!(outcome, QueueOutcome::Queued);
    site.lease(store, run, seconds).await
}

async fn stored(store: &dyn Store, site: &Site, run: RunId) -> RunRecord {
    store.run(site.tenant, run).await.unwrap().unwrap()
}

/// Whether it is offered, and can be had.
async fn leased(store: &dyn Store, site: &Site, run: RunId, seconds: i64) -> bool {
    let offered = store
        .leasable_runs(at(seconds), &[site.sensor], 100)
        .await
        .unwrap();
    let offered = offered.iter().any(|offered| offered.run == run);
    let lease = store.lease_run(site.tenant, run, site.sensor, site.epoch, at(seconds));
    let lease = lease.await.unwrap();
    assert_eq!(offered, lease.is_some(), "what is offered can be had");
    offered
}

fn failed() -> Finding {
    Finding::new(FindingCode::Unreachable, "nothing answers")
}

/// By one run for all who ask meanwhile, after the one that may have looked too early. A schedule wants no more than that it is read.
pub async fn whoever_asks_for_what_is_being_read_has_it_read_again(store: &dyn Store) {
    let site = Site::new(store).await;
    let first = started(store, &site, 10).await;
    let before = entries(store, site.tenant).await;
    let second = follow(store, &site, 11).await;
    assert_eq!(entries(store, site.tenant).await, before + 1);
    for (trigger, seconds, joined) in [
        (RunTrigger::Manual, 12, second),
        (RunTrigger::Event, 13, second),
        (RunTrigger::Schedule, 14, first.attempt.run),
        (RunTrigger::Reconcile, 15, first.attempt.run),
    ] {
        let (_, outcome) = ask(store, &site, trigger, seconds).await;
        assert_eq!(outcome, QueueOutcome::Joined(joined), "{trigger}");
    }
    let triggers = async |run| -> Vec<_> {
        let reasons = stored(store, &site, run).await.reasons;
        reasons.iter().map(|reason| reason.trigger).collect()
    };
    assert_eq!(
        triggers(first.attempt.run).await,
        [RunTrigger::Schedule, RunTrigger::Schedule, RunTrigger::Reconcile]
    );
    assert_eq!(
        triggers(second).await,
        [RunTrigger::Manual, RunTrigger::Manual, RunTrigger::Event]
    );
    let waits = stored(store, &site, second).await;
    assert_eq!(
        (waits.state, waits.behind),
        (RunState::Queued, Some(first.attempt.run))
    );
    // Another scope is nobody's business.
    site.queue_scope(store, &["a"], 15).await;
    assert!(!leased(store, &site, second, 16).await);
    commit_listed(store, &first, "a", 17).await;
    store.close_run(&first, &whole(1), at(20)).await.unwrap();
    let waits = stored(store, &site, second).await;
    assert_eq!((waits.behind, waits.not_before), (None, at(20)));
    let (_, outcome) = ask(store, &site, RunTrigger::Manual, 21).await;
    assert_eq!(outcome, QueueOutcome::Joined(second), "it has not begun");
    assert!(leased(store, &site, second, 22).await);
    // And so on: at most one is read, and one waits.
    let third = follow(store, &site, 23).await;
    assert_eq!(stored(store, &site, third).await.behind, Some(second));
    let (_, outcome) = ask(store, &site, RunTrigger::Manual, 24).await;
    assert_eq!(outcome, QueueOutcome::Joined(third));
}

/// What a lost attempt has committed is not read again by the next.
pub async fn what_has_committed_is_followed_and_what_has_not_is_joined(store: &dyn Store) {
    let site = Site::new(store).await;
    let fence = started(store, &site, 10).await;
    let first = fence.attempt.run;
    requeue_expired(store, 100).await;
    let (_, outcome) = ask(store, &site, RunTrigger::Manual, 101).await;
    assert_eq!(outcome, QueueOutcome::Joined(first), "it has seen nothing yet");
    let fence = site.lease(store, first, 102).await;
    commit_listed(store, &fence, "a", 103).await;
    let finding = failed();
    store
        .fail_attempt(&fence, &finding, Some(at(3_000)), at(104))
        .await
        .unwrap();
    let (_, outcome) = ask(store, &site, RunTrigger::Schedule, 105).await;
    assert_eq!(outcome, QueueOutcome::Joined(first));
    assert_eq!(stored(store, &site, first).await.not_before, at(3_000));
    let second = follow(store, &site, 106).await;
    assert!(!leased(store, &site, second, 107).await, "one after the other");
    assert_eq!(
        stored(store, &site, first).await.not_before,
        at(106),
        "it keeps nobody waiting who wants the next"
    );
    let fence = site.lease(store, first, 107).await;
    store.close_run(&fence, &whole(1), at(108)).await.unwrap();
    assert!(leased(store, &site, second, 109).await);
}

/// Whether that was put off before he asked, or has yet to be tried again.
pub async fn nobody_waits_for_the_blackout_of_the_run_before_his(store: &dyn Store) {
    const BEGIN: i64 = 100;
    let window = |from: i64, to: i64| {
        let times = [from, to].map(|seconds| at(seconds).strftime("%H:%M").to_string());
        times.join("-").parse().unwrap()
    };
    let closed = Schedule {
        blackouts: vec![window(BEGIN, BEGIN + 7_200)],
        ..Schedule::default()
    };
    let finding = failed();
    for asks_before in [true, false] {
        let site = Site::new(store).await;
        site.read(store, closed.clone(), 5).await;
        let fence = started(store, &site, 10).await;
        let first = fence.attempt.run;
        commit_listed(store, &fence, "a", 11).await;
        if asks_before {
            follow(store, &site, 20).await;
        }
        store
            .fail_attempt(&fence, &finding, Some(at(BEGIN)), at(30))
            .await
            .unwrap();
        if !asks_before {
            let lease = store.lease_run(site.tenant, first, site.sensor, site.epoch, at(BEGIN));
            assert!(lease.await.unwrap().is_none(), "nothing starts by itself");
            follow(store, &site, BEGIN + 10).await;
        }
        assert!(leased(store, &site, first, BEGIN + 20).await, "{asks_before}");
    }
}

/// Complete, failed, lapsed or cancelled.
pub async fn a_run_goes_on_however_the_one_before_it_ends(store: &dyn Store) {
    let finding = failed();
    for end in ["fails", "lapses", "is cancelled", "is cancelled while it waits"] {
        let site = Site::new(store).await;
        let fence = started(store, &site, 10).await;
        let (tenant, run) = (site.tenant, fence.attempt.run);
        commit_listed(store, &fence, "a", 11).await;
        let second = follow(store, &site, 12).await;
        match end {
            "fails" => {
                let state = store.fail_attempt(&fence, &finding, None, at(20)).await;
                assert_eq!(state.unwrap(), RunState::Failed);
            }
            "lapses" => {
                let lapsed = LapsedRun {
                    tenant,
                    run,
                    registry: site.registry,
                    lapse: Lapse::TooLong,
                    asked_at: None,
                    held: Some((site.sensor, fence.attempt)),
                };
                assert!(store.end_lapsed(&lapsed, &finding, at(90_000)).await.unwrap());
            }
            _ => {
                if end.ends_with("waits") {
                    store.return_lease(&fence, at(20)).await.unwrap();
                }
                store.cancel_run(tenant, run, at(21), &note()).await.unwrap();
            }
        }
        assert!(leased(store, &site, second, 90_001).await, "the first {end}");
    }
    // Nor does the first need the one behind it.
    let site = Site::new(store).await;
    let fence = started(store, &site, 10).await;
    let second = follow(store, &site, 11).await;
    store
        .cancel_run(site.tenant, second, at(12), &note())
        .await
        .unwrap();
    follow(store, &site, 13).await;
    store.close_run(&fence, &whole(0), at(14)).await.unwrap();
}

/// What was asked for by nobody waits for the end of a blackout again, as soon as nobody waits behind it.
pub async fn whoever_gives_up_hastens_nothing_any_more(store: &dyn Store) {
    const BEGIN: i64 = 100;
    let times = [BEGIN, BEGIN + 7_200].map(|seconds| at(seconds).strftime("%H:%M").to_string());
    let closed = Schedule {
        blackouts: vec![times.join("-").parse().unwrap()],
        ..Schedule::default()
    };
    for (asked_before, gives_up, goes_on) in [(false, true, false), (false, false, true), (true, true, true)]
    {
        let site = Site::new(store).await;
        site.read(store, closed.clone(), 5).await;
        let (first, _) = ask(store, &site, RunTrigger::Schedule, 10).await;
        if asked_before {
            let (_, joined) = ask(store, &site, RunTrigger::Manual, 11).await;
            assert_eq!(joined, QueueOutcome::Joined(first));
        }
        let fence = site.lease(store, first, 12).await;
        commit_listed(store, &fence, "a", 13).await;
        let second = follow(store, &site, 14).await;
        if gives_up {
            store
                .cancel_run(site.tenant, second, at(15), &note())
                .await
                .unwrap();
        }
        let finding = failed();
        store
            .fail_attempt(&fence, &finding, Some(at(BEGIN)), at(20))
            .await
            .unwrap();
        let lease = store.lease_run(site.tenant, first, site.sensor, site.epoch, at(BEGIN + 1));
        let leased = lease.await.unwrap().is_some();
        assert_eq!(
            leased, goes_on,
            "asked before: {asked_before}, gives up: {gives_up}"
        );
    }
}

/// The one before it may take its time. Nobody waits for ever, all the same.
pub async fn a_run_does_not_lapse_behind_another(store: &dyn Store) {
    let site = Site::new(store).await;
    let fence = started(store, &site, 10).await;
    let second = follow(store, &site, 11).await;
    let lapse = async |for_a_sensor, for_anything| {
        let waits = WaitsSince {
            for_a_sensor: at(for_a_sensor),
            for_anything: at(for_anything),
        };
        let found = store.lapsed_runs(at(2_000), waits, 1_000).await.unwrap();
        let found = found.into_iter().find(|lapsed| lapsed.run == second);
        found.map(|lapsed| lapsed.lapse)
    };
    assert_eq!(lapse(1_000, -1_000_000).await, None);
    assert_eq!(lapse(1_000, 11).await, None);
    assert_eq!(lapse(1_000, 12).await, Some(Lapse::WaitedTooLong));
    store.close_run(&fence, &whole(0), at(1_500)).await.unwrap();
    assert_eq!(
        lapse(1_500, -1_000_000).await,
        None,
        "it waits for a sensor since then"
    );
    assert_eq!(lapse(1_501, -1_000_000).await, Some(Lapse::NotTaken));
}
