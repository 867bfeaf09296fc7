//! Runs that wait, are listed and cancelled.

use portolan_shared::model::{Finding, FindingCode, RegistryId, RunId, RunState};
use portolan_shared::process::SystemRng;
use portolan_store::{
    CancelOutcome, NewRun, PageRequest, QueueOutcome, RegistryChange, RunFilter, StaleFence, Store,
    StoreError,
};

use crate::site::{Site, at, name, note, registry, revoke, sensor};

/// A second wish for the same is the same run; its order of repositories does not matter.
pub async fn the_same_registry_and_scope_join(store: &dyn Store) {
    let site = Site::new(store).await;
    let run = site.queue(store, 10).await;
    let again = store.queue_run(&site.new_run(&[], 11), &note()).await.unwrap();
    assert_eq!(again, QueueOutcome::Joined(run));
    let some = site.queue_scope(store, &["a", "b"], 12).await;
    let turned = store
        .queue_run(&site.new_run(&["b", "a", "b"], 13), &note())
        .await
        .unwrap();
    assert_eq!(turned, QueueOutcome::Joined(some));
    store.cancel_run(site.tenant, run, at(16), &note()).await.unwrap();
    assert_eq!(
        store.queue_run(&site.new_run(&[], 17), &note()).await.unwrap(),
        QueueOutcome::Queued
    );
    let nowhere = NewRun {
        registry: RegistryId::random(&SystemRng),
        ..site.new_run(&[], 18)
    };
    assert_eq!(
        store.queue_run(&nowhere, &note()).await.unwrap(),
        QueueOutcome::UnknownRegistry
    );
    let stored = store.run(site.tenant, some).await.unwrap().unwrap();
    assert_eq!(stored.scope.repositories, [name("a"), name("b")]);
    assert_eq!(
        (stored.state, stored.requested_by.as_str()),
        (RunState::Queued, "admin")
    );
}

/// Oldest first; sensors as the registry ranks them, without those that were revoked.
pub async fn runs_wait_in_order_with_preferred_sensors_first(store: &dyn Store) {
    let site = Site::new(store).await;
    let (second, _) = sensor(store, site.tenant, "second").await;
    let (gone, _) = sensor(store, site.tenant, "gone").await;
    let sensors = Some(vec![gone, second, site.sensor]);
    site.set(
        store,
        RegistryChange {
            sensors,
            ..RegistryChange::default()
        },
    )
    .await;
    revoke(store, site.tenant, gone, 5).await;
    let later = site.queue_scope(store, &["a"], 20).await;
    let sooner = site.queue(store, 10).await;
    let asking = [site.sensor, gone, second];
    let waiting = store.leasable_runs(at(30), &asking, 10).await.unwrap();
    assert!(waiting.iter().all(|run| run.tenant == site.tenant));
    assert_eq!(
        waiting.iter().map(|run| run.run).collect::<Vec<_>>(),
        [sooner, later]
    );
    assert_eq!(waiting[0].sensors, [second, site.sensor]);
    let one = store.leasable_runs(at(30), &[site.sensor], 1).await.unwrap();
    assert_eq!(one.len(), 1);
    assert_eq!(one[0].sensors, [site.sensor], "only who asks");
}

/// Not before the time that a failed attempt asked for, but then.
pub async fn a_run_is_not_leased_before_its_time(store: &dyn Store) {
    let site = Site::new(store).await;
    let run = site.queue(store, 100).await;
    let leased = store
        .lease_run(site.tenant, run, site.sensor, site.epoch, at(99))
        .await
        .unwrap();
    assert!(leased.is_none());
    let waits = |seconds| async move {
        let waiting = store
            .leasable_runs(at(seconds), &[site.sensor], 10)
            .await
            .unwrap();
        waiting.iter().any(|leasable| leasable.run == run)
    };
    assert!(!waits(99).await);
    assert!(waits(100).await);
}

/// By registry and state, too.
pub async fn runs_are_listed_newest_first_in_pages(store: &dyn Store) {
    let site = Site::new(store).await;
    let mut queued = Vec::new();
    for i in 0..5 {
        queued.push(site.queue_scope(store, &[&format!("r{i}")], i).await);
    }
    queued.reverse();
    let filters = [
        RunFilter::default(),
        RunFilter {
            registry: Some(site.registry),
            state: None,
        },
    ];
    for filter in filters {
        let mut seen = Vec::new();
        let mut page = PageRequest {
            after: None,
            limit: 2,
        };
        loop {
            let found = store.runs(site.tenant, &filter, &page).await.unwrap();
            seen.extend(found.items.iter().map(|run| run.id));
            let Some(next) = found.next else { break };
            page.after = Some(next);
        }
        assert_eq!(seen, queued);
    }
    store
        .cancel_run(site.tenant, queued[2], at(9), &note())
        .await
        .unwrap();
    let filter = RunFilter {
        registry: None,
        state: Some(RunState::Cancelled),
    };
    let found = store
        .runs(site.tenant, &filter, &PageRequest::first())
        .await
        .unwrap();
    assert_eq!(
        found.items.iter().map(|run| run.id).collect::<Vec<_>>(),
        [queued[2]]
    );
    let filter = RunFilter {
        registry: Some(RegistryId::random(&SystemRng)),
        state: None,
    };
    assert!(
        store
            .runs(site.tenant, &filter, &PageRequest::first())
            .await
            .unwrap()
            .items
            .is_empty()
    );
}

/// However many there are, and however long they have waited.
pub async fn runs_of_other_sensors_do_not_stand_in_the_way(store: &dyn Store) {
    let site = Site::new(store).await;
    let (offline, _) = sensor(store, site.tenant, "offline").await;
    let theirs = registry(site.tenant, "theirs", &[offline]);
    store.add_registry(&theirs, at(5), &note()).await.unwrap();
    let mut older = Vec::new();
    for i in 0..5 {
        let run = NewRun {
            registry: theirs.id,
            ..site.new_run(&[&format!("r{i}")], i)
        };
        store.queue_run(&run, &note()).await.unwrap();
        older.push(run.id);
    }
    let run = site.queue(store, 10).await;
    let waiting = store.leasable_runs(at(30), &[site.sensor], 1).await.unwrap();
    assert_eq!(waiting.len(), 1);
    assert_eq!((waiting[0].run, &waiting[0].sensors), (run, &vec![site.sensor]));
    let both = [site.sensor, offline];
    let waiting = store.leasable_runs(at(30), &both, 10).await.unwrap();
    older.push(run);
    assert_eq!(waiting.iter().map(|run| run.run).collect::<Vec<_>>(), older);
    assert!(store.leasable_runs(at(30), &[], 10).await.unwrap().is_empty());
}

/// The holder has to be told; nothing it does has an effect any more.
pub async fn cancelling_fences_off(store: &dyn Store) {
    let site = Site::new(store).await;
    let fence = site.start(store, 10).await;
    let run = fence.attempt.run;
    let told = store.cancel_run(site.tenant, run, at(11), &note()).await.unwrap();
    assert_eq!(told, CancelOutcome::Cancelled(Some((site.sensor, fence.attempt))));
    let stale = store
        .pending_repositories(&fence, &[name("a")])
        .await
        .unwrap_err();
    assert!(matches!(stale, StoreError::Stale(StaleFence::Attempt)), "{stale}");
    assert!(store.renew_leases(&[fence], at(12)).await.unwrap().is_empty());
    let again = store.cancel_run(site.tenant, run, at(12), &note()).await.unwrap();
    assert_eq!(again, CancelOutcome::Ended(RunState::Cancelled));
    let waiting = site.queue(store, 13).await;
    let told = store
        .cancel_run(site.tenant, waiting, at(14), &note())
        .await
        .unwrap();
    assert_eq!(told, CancelOutcome::Cancelled(None));
    let unknown = store
        .cancel_run(site.tenant, RunId::random(&SystemRng), at(15), &note())
        .await
        .unwrap();
    assert_eq!(unknown, CancelOutcome::Unknown);
    assert_eq!(
        store.run(site.tenant, run).await.unwrap().unwrap().ended_at,
        Some(at(11))
    );
}

/// What waits for a reason of its own goes on to.
pub async fn what_a_clock_queued_that_was_ahead_may_be_taken(store: &dyn Store) {
    let site = Site::new(store).await;
    let failed = site.beside(store, "failed").await;
    let fence = failed.start(store, 10).await;
    let finding = Finding::new(FindingCode::Internal, "nothing answers");
    store
        .fail_attempt(&fence, &finding, Some(at(500)), at(11))
        .await
        .unwrap();
    let ahead = site.queue(store, 90_000).await;
    store.clock_is(at(20)).await.unwrap();
    let leasable = store.leasable_runs(at(20), &[site.sensor], 10).await.unwrap();
    let leasable: Vec<_> = leasable.iter().map(|run| run.run).collect();
    assert_eq!(leasable, [ahead]);
}
