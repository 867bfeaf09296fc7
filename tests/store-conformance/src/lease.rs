//! Leases and attempts.

use portolan_shared::model::limits::FRUITLESS_ATTEMPTS;
use portolan_shared::model::{
    AttemptRef, Finding, FindingCode, Reason, RepositoryOutcome, RunProgress, RunState,
};
use portolan_store::{Fence, HeldAttempt, LostLease, StaleFence, Store, StoreError, WithdrawnLease};

use crate::site::{Site, at, commit_of, name, note, requeue_expired, sensor, session, whole};

async fn state(store: &dyn Store, fence: &Fence) -> RunState {
    store
        .run(fence.tenant, fence.attempt.run)
        .await
        .unwrap()
        .unwrap()
        .state
}

async fn lost(store: &dyn Store, site: &Site, seconds: i64) -> Vec<LostLease> {
    let lost = requeue_expired(store, seconds).await;
    lost.into_iter()
        .filter(|lost| lost.tenant == site.tenant)
        .collect()
}

/// With everything that the sensor has to know.
pub async fn a_lease_is_given_once_and_says_what_to_read(store: &dyn Store) {
    let site = Site::new(store).await;
    let run = site.queue_scope(store, &["acme/shop"], 10).await;
    let lease = |seconds| store.lease_run(site.tenant, run, site.sensor, site.epoch, at(seconds));
    let given = lease(11).await.unwrap().unwrap();
    assert_eq!(given.attempt, AttemptRef { run, attempt: 1 });
    assert_eq!(given.scope.repositories, [name("acme/shop")]);
    let record = store.registry(site.tenant, site.registry).await.unwrap().unwrap();
    assert_eq!(
        (given.target.registry, &given.target.url),
        (site.registry, &record.registry.url)
    );
    assert_eq!(
        (&given.target.ca, &given.target.credential),
        (&record.registry.ca, &record.registry.credential)
    );
    assert!(!given.resumed);
    assert_eq!(record.last_attempt_at, Some(at(11)));
    assert!(lease(12).await.unwrap().is_none());
    let stored = store.run(site.tenant, run).await.unwrap().unwrap();
    assert_eq!(
        (stored.state, stored.sensor, stored.started_at),
        (RunState::Leased, Some(site.sensor), Some(at(11)))
    );
}

/// Not an older session, not a sensor that was not assigned, not one that never connected.
pub async fn only_a_current_session_of_an_assigned_sensor_gets_a_lease(store: &dyn Store) {
    let mut site = Site::new(store).await;
    let run = site.queue(store, 10).await;
    let (other, serial) = sensor(store, site.tenant, "other").await;
    let lease = |sensor, epoch| store.lease_run(site.tenant, run, sensor, epoch, at(11));
    assert!(lease(other, 0).await.unwrap().is_none());
    let epoch = session(store, site.tenant, other, serial).await;
    assert!(lease(other, epoch).await.unwrap().is_none());
    let old = site.epoch;
    let (tenant, sensor) = (site.tenant, site.sensor);
    site.reconnect(store).await;
    assert!(
        store
            .lease_run(tenant, run, sensor, old, at(11))
            .await
            .unwrap()
            .is_none()
    );
    assert!(
        store
            .lease_run(tenant, run, sensor, site.epoch, at(11))
            .await
            .unwrap()
            .is_some()
    );
}

/// A slow heartbeat does not lose work.
pub async fn a_lease_that_ran_out_can_be_renewed_until_it_is_taken(store: &dyn Store) {
    let site = Site::new(store).await;
    let fence = site.start(store, 10).await;
    let foreign = Fence {
        session_epoch: site.epoch + 1,
        ..fence
    };
    let older = Fence {
        attempt: AttemptRef {
            attempt: 0,
            ..fence.attempt
        },
        ..fence
    };
    let kept = store
        .renew_leases(&[foreign, fence, older], at(84))
        .await
        .unwrap();
    assert_eq!(kept, [fence]);
    assert!(
        lost(store, &site, 85).await.is_empty(),
        "it was prolonged from the time of renewal"
    );
    assert!(lost(store, &site, 158).await.is_empty());
    assert_eq!(lost(store, &site, 159).await.len(), 1);
    assert!(store.renew_leases(&[fence], at(160)).await.unwrap().is_empty());
    assert!(store.renew_leases(&[], at(160)).await.unwrap().is_empty());
}

/// 60 seconds and 15 more.
pub async fn t26_a_lost_lease_returns_to_the_queue_after_the_grace(store: &dyn Store) {
    let site = Site::new(store).await;
    let fence = site.start(store, 10).await;
    assert!(lost(store, &site, 84).await.is_empty());
    let taken = lost(store, &site, 85).await;
    assert_eq!(
        taken,
        [LostLease {
            tenant: site.tenant,
            attempt: fence.attempt,
            sensor: site.sensor,
            state: RunState::Queued
        }]
    );
    let finding = async || {
        let run = store.run(site.tenant, fence.attempt.run).await.unwrap();
        run.unwrap().finding.map(|finding| finding.code)
    };
    assert_eq!(finding().await, Some(FindingCode::RunSensorLost));
    let next = site.lease(store, fence.attempt.run, 86).await;
    assert_eq!((next.attempt.attempt, finding().await), (2, None));
    let commit = commit_of("a", &[("1", "one")], RepositoryOutcome::Listed);
    let late = store.commit_repository(&fence, &commit, at(87)).await;
    assert!(matches!(late, Err(StoreError::Stale(StaleFence::Attempt))));
}

/// What the sensor lists goes on under its new session, the rest goes back at once.
pub async fn t29_attempts_that_still_run_are_adopted_and_others_return(store: &dyn Store) {
    let mut site = Site::new(store).await;
    let kept = site.start(store, 10).await;
    let dead = site.beside(store, "other").await.start(store, 10).await;
    let old = site.epoch;
    site.reconnect(store).await;
    let stale = store.pending_repositories(&kept, &[name("a")]).await.unwrap_err();
    assert!(matches!(stale, StoreError::Stale(StaleFence::Session)), "{stale}");
    let early = store
        .pending_repositories(&site.fence(kept.attempt), &[name("a")])
        .await
        .unwrap_err();
    assert!(matches!(early, StoreError::Stale(StaleFence::Attempt)), "{early}");
    let unknown = AttemptRef {
        attempt: 9,
        ..dead.attempt
    };
    let adopt = |epoch| {
        let running = [kept.attempt, unknown];
        async move {
            store
                .adopt_leases(site.tenant, site.sensor, epoch, &running, at(20))
                .await
        }
    };
    assert!(matches!(
        adopt(old).await,
        Err(StoreError::Stale(StaleFence::Session))
    ));
    assert_eq!(adopt(site.epoch).await.unwrap(), [kept.attempt]);
    let fence = site.fence(kept.attempt);
    assert_eq!(
        store.pending_repositories(&fence, &[name("a")]).await.unwrap(),
        [true]
    );
    assert_eq!(state(store, &dead).await, RunState::Queued);
    assert!(lost(store, &site, 94).await.is_empty(), "adoption prolongs");
}

/// The sensor never took it up.
pub async fn a_lease_handed_back_is_not_fruitless(store: &dyn Store) {
    let site = Site::new(store).await;
    let run = site.queue(store, 10).await;
    for attempt in 1..=FRUITLESS_ATTEMPTS + 1 {
        let fence = site.lease(store, run, 11).await;
        assert_eq!(fence.attempt.attempt, attempt);
        store.return_lease(&fence, at(12)).await.unwrap();
        assert_eq!(state(store, &fence).await, RunState::Queued);
        let again = store.return_lease(&fence, at(12)).await;
        assert!(matches!(again, Err(StoreError::Stale(StaleFence::Attempt))));
    }
}

/// Lost or failed makes no difference.
pub async fn five_fruitless_attempts_fail_the_run(store: &dyn Store) {
    let site = Site::new(store).await;
    let run = site.queue(store, 0).await;
    let finding = Finding::new(FindingCode::Unreachable, "no route");
    for attempt in 1..=FRUITLESS_ATTEMPTS {
        let seconds = i64::from(attempt) * 100;
        let fence = site.lease(store, run, seconds).await;
        let expected = if attempt == FRUITLESS_ATTEMPTS {
            RunState::Failed
        } else {
            RunState::Queued
        };
        let became = if attempt % 2 == 0 {
            lost(store, &site, seconds + 75).await[0].state
        } else {
            store
                .fail_attempt(&fence, &finding, Some(at(seconds)), at(seconds))
                .await
                .unwrap()
        };
        assert_eq!(became, expected, "attempt {attempt}");
    }
    let stored = store.run(site.tenant, run).await.unwrap().unwrap();
    assert_eq!((stored.state, stored.ended_at), (RunState::Failed, Some(at(500))));
    assert_eq!(stored.finding, Some(finding));
}

/// An attempt that brought something is not to blame, nor are those before it; repeating what is committed brings nothing.
pub async fn a_commit_resets_the_count_of_fruitless_attempts(store: &dyn Store) {
    let site = Site::new(store).await;
    let run = site.queue(store, 0).await;
    let finding = Finding::new(FindingCode::Unreachable, "no route");
    let commit = commit_of("a", &[("1", "one")], RepositoryOutcome::Listed);
    let fail = |fence: Fence, seconds| {
        let finding = finding.clone();
        async move {
            store
                .fail_attempt(&fence, &finding, Some(at(seconds)), at(seconds))
                .await
                .unwrap()
        }
    };
    for seconds in 1..5 {
        let fence = site.lease(store, run, seconds).await;
        assert_eq!(fail(fence, seconds).await, RunState::Queued);
    }
    let fence = site.lease(store, run, 5).await;
    store.commit_repository(&fence, &commit, at(5)).await.unwrap();
    assert_eq!(fail(fence, 5).await, RunState::Queued);
    for seconds in 6..=10 {
        let lease = store
            .lease_run(site.tenant, run, site.sensor, site.epoch, at(seconds))
            .await
            .unwrap()
            .unwrap();
        assert!(lease.resumed);
        let fence = site.fence(lease.attempt);
        store
            .commit_repository(&fence, &commit, at(seconds))
            .await
            .unwrap();
        let expected = if seconds == 10 {
            RunState::Failed
        } else {
            RunState::Queued
        };
        assert_eq!(fail(fence, seconds).await, expected, "{seconds}");
    }
}

/// Or fails the run, if it says that trying again is of no use.
pub async fn a_failed_attempt_waits_until_its_time(store: &dyn Store) {
    let site = Site::new(store).await;
    let fence = site.start(store, 10).await;
    let finding = Finding::new(FindingCode::RateLimited, "429");
    let became = store
        .fail_attempt(&fence, &finding, Some(at(40)), at(20))
        .await
        .unwrap();
    assert_eq!(became, RunState::Queued);
    let run = fence.attempt.run;
    let lease = |seconds| store.lease_run(site.tenant, run, site.sensor, site.epoch, at(seconds));
    assert!(lease(39).await.unwrap().is_none());
    assert!(lease(40).await.unwrap().is_some());
    assert_eq!(
        store.run(site.tenant, run).await.unwrap().unwrap().finding,
        Some(finding.clone())
    );
    let fence = site.fence(AttemptRef { run, attempt: 2 });
    let became = store.fail_attempt(&fence, &finding, None, at(50)).await.unwrap();
    assert_eq!(became, RunState::Failed);
    let again = store.fail_attempt(&fence, &finding, None, at(51)).await;
    assert!(matches!(again, Err(StoreError::Stale(StaleFence::Attempt))));
}

/// Progress is a courtesy.
pub async fn progress_of_a_stale_attempt_is_ignored(store: &dyn Store) {
    let site = Site::new(store).await;
    let fence = site.start(store, 10).await;
    let progress = RunProgress {
        tags: 7,
        requests: 9,
        discovered: true,
        ..RunProgress::default()
    };
    store.record_progress(&fence, &progress, at(11)).await.unwrap();
    let stale = Fence {
        session_epoch: fence.session_epoch + 1,
        ..fence
    };
    store
        .record_progress(&stale, &RunProgress::default(), at(12))
        .await
        .unwrap();
    let stored = store.run(site.tenant, fence.attempt.run).await.unwrap().unwrap();
    assert_eq!(stored.progress, progress);
}

/// Cancelled, taken away, gone with its registry: but not because the sensor has another session, or closed the run itself.
pub async fn leases_that_were_withdrawn_are_found_and_those_that_closed_their_runs_are_not(
    store: &dyn Store,
) {
    let mut site = Site::new(store).await;
    let held = |fence: &Fence| HeldAttempt {
        tenant: fence.tenant,
        sensor: fence.sensor,
        attempt: fence.attempt,
    };
    assert!(store.withdrawn_leases(&[]).await.unwrap().is_empty());
    let closed = site.start(store, 10).await;
    store.close_run(&closed, &whole(0), at(11)).await.unwrap();
    let mut fences = Vec::new();
    fences.push(site.start(store, 12).await);
    for what in ["cancelled", "lost", "failed"] {
        fences.push(site.beside(store, what).await.start(store, 12).await);
    }
    let [kept, cancelled, lost, failed] = fences[..] else {
        unreachable!("four were leased")
    };
    let asked = [closed, kept, cancelled, lost, failed].map(|fence| held(&fence));
    assert!(store.withdrawn_leases(&asked).await.unwrap().is_empty());

    let run = cancelled.attempt.run;
    store.cancel_run(site.tenant, run, at(14), &note()).await.unwrap();
    store.return_lease(&lost, at(14)).await.unwrap();
    let finding = Finding::new(FindingCode::Internal, "x");
    store.fail_attempt(&failed, &finding, None, at(14)).await.unwrap();
    let running = [kept.attempt];
    site.reconnect(store).await;
    store
        .adopt_leases(site.tenant, site.sensor, site.epoch, &running, at(15))
        .await
        .unwrap();
    let of = |fence: &Fence, reason| WithdrawnLease {
        held: held(fence),
        reason,
    };
    let expected = [
        of(&cancelled, Reason::Cancelled),
        of(&lost, Reason::StaleAttempt),
        of(&failed, Reason::StaleAttempt),
    ];
    assert_eq!(store.withdrawn_leases(&asked).await.unwrap(), expected);
    site.lease(store, lost.attempt.run, 16).await;
    let again = store.withdrawn_leases(&[held(&lost)]).await.unwrap();
    assert_eq!(again.len(), 1, "a later attempt of the same run is another one");

    store
        .remove_registry(site.tenant, site.registry, &note(), &|_| None)
        .await
        .unwrap();
    let gone = store.withdrawn_leases(&[held(&kept)]).await.unwrap();
    assert_eq!(gone, [of(&kept, Reason::StaleAttempt)]);
}

/// Two at a time would commit over each other; the second waits in the queue for the first to end.
pub async fn a_registry_has_one_leased_run_at_a_time(store: &dyn Store) {
    let site = Site::new(store).await;
    let first = site.start(store, 10).await;
    let run = site.queue_scope(store, &["a"], 11).await;
    let leasable = async || {
        let found = store.leasable_runs(at(12), &[site.sensor], 100).await.unwrap();
        found.iter().map(|leasable| leasable.run).collect::<Vec<_>>()
    };
    let lease = || store.lease_run(site.tenant, run, site.sensor, site.epoch, at(12));
    assert_eq!(leasable().await, []);
    assert!(lease().await.unwrap().is_none());
    store.close_run(&first, &whole(0), at(12)).await.unwrap();
    assert_eq!(leasable().await, [run]);
    assert!(lease().await.unwrap().is_some());
}
