//! Requests of a registry within any 24 hours.

use std::num::NonZeroU32;

use portolan_shared::model::{Budget, Finding, FindingCode, RunId, RunProgress, RunState};
use portolan_store::{Fence, Lease, RegistryChange, RunRecord, Store};

use crate::site::{Site, at, whole};

const DAY: i64 = 24 * 60 * 60;

async fn allow(store: &dyn Store, site: &Site, per_day: u32) {
    let budget = Budget {
        per_day: NonZeroU32::new(per_day),
        ..Budget::default()
    };
    let change = RegistryChange {
        budget: Some(budget),
        ..RegistryChange::default()
    };
    site.set(store, change).await;
}

async fn try_lease(store: &dyn Store, site: &Site, run: RunId, seconds: i64) -> Option<Lease> {
    store
        .lease_run(site.tenant, run, site.sensor, site.epoch, at(seconds))
        .await
        .unwrap()
}

async fn spend(store: &dyn Store, fence: &Fence, requests: u64, seconds: i64) {
    let progress = RunProgress {
        requests,
        ..RunProgress::default()
    };
    store
        .record_progress(fence, &progress, at(seconds))
        .await
        .unwrap();
}

async fn record(store: &dyn Store, site: &Site, run: RunId) -> RunRecord {
    store.run(site.tenant, run).await.unwrap().unwrap()
}

/// Each counts from nothing; what the ones before it used up stays used up.
pub async fn requests_of_every_attempt_count(store: &dyn Store) {
    let site = Site::new(store).await;
    let run = site.queue(store, 10).await;
    let lease = try_lease(store, &site, run, 10).await.unwrap();
    assert_eq!(lease.target.requests_left, None, "not bounded");
    let fence = site.fence(lease.attempt);
    spend(store, &fence, 20, 11).await;
    spend(store, &fence, 50, 12).await;
    spend(store, &fence, 50, 13).await;
    allow(store, &site, 100).await;
    let finding = Finding::new(FindingCode::Unreachable, "x");
    store
        .fail_attempt(&fence, &finding, Some(at(20)), at(20))
        .await
        .unwrap();
    let lease = try_lease(store, &site, run, 20).await.unwrap();
    assert_eq!(lease.target.requests_left, Some(50));
    let fence = site.fence(lease.attempt);
    spend(store, &fence, 30, 21).await;
    store.close_run(&fence, &whole(0), at(22)).await.unwrap();
    // Another registry has its own.
    let other = site.beside(store, "other").await;
    allow(store, &other, 100).await;
    let run = other.queue(store, 23).await;
    let lease = try_lease(store, &other, run, 23).await.unwrap();
    assert_eq!(lease.target.requests_left, Some(100));
    let run = site.queue(store, 24).await;
    let lease = try_lease(store, &site, run, 24).await.unwrap();
    assert_eq!(lease.target.requests_left, Some(20));
    spend(store, &site.fence(lease.attempt), 19, 25).await;
    store
        .return_lease(&site.fence(lease.attempt), at(26))
        .await
        .unwrap();
    let lease = try_lease(store, &site, run, 27).await.unwrap();
    assert_eq!(lease.target.requests_left, Some(1));
    // A day later all of that is old.
    store
        .return_lease(&site.fence(lease.attempt), at(28))
        .await
        .unwrap();
    let lease = try_lease(store, &site, run, DAY + 3_600).await.unwrap();
    assert_eq!(lease.target.requests_left, Some(100));
}

/// It does not fail, it says why, and it goes on by itself.
pub async fn a_run_waits_while_its_registry_has_used_up_its_requests(store: &dyn Store) {
    let site = Site::new(store).await;
    allow(store, &site, 100).await;
    let fence = site.start(store, 10).await;
    spend(store, &fence, 150, 11).await;
    store.close_run(&fence, &whole(0), at(12)).await.unwrap();
    let run = site.queue(store, 20).await;
    assert!(try_lease(store, &site, run, 20).await.is_none());
    let waiting = record(store, &site, run).await;
    assert_eq!((waiting.state, waiting.attempt), (RunState::Queued, 0));
    let finding = waiting.finding.unwrap();
    assert_eq!(finding.code, FindingCode::BudgetSpent);
    let leasable = async |seconds| {
        let sensors = [site.sensor];
        let found = store.leasable_runs(at(seconds), &sensors, 1_000).await.unwrap();
        found.iter().any(|leasable| leasable.run == run)
    };
    assert!(!leasable(DAY - 60).await, "{finding}");
    assert!(try_lease(store, &site, run, DAY - 60).await.is_none());
    assert!(leasable(DAY + 1_800).await, "{finding}");
    let lease = try_lease(store, &site, run, DAY + 1_800).await.unwrap();
    assert_eq!(
        (lease.attempt.attempt, lease.target.requests_left),
        (1, Some(100))
    );
    assert_eq!(
        record(store, &site, run).await.finding,
        None,
        "it waits no longer"
    );
}

/// Whoever raises the budget wants to see it used.
pub async fn a_run_waits_no_longer_when_the_budget_is_changed(store: &dyn Store) {
    let site = Site::new(store).await;
    allow(store, &site, 100).await;
    let fence = site.start(store, 10).await;
    spend(store, &fence, 100, 11).await;
    store.close_run(&fence, &whole(0), at(12)).await.unwrap();
    let run = site.queue(store, 20).await;
    assert!(try_lease(store, &site, run, 20).await.is_none());
    allow(store, &site, 150).await;
    assert_eq!(record(store, &site, run).await.finding, None);
    let lease = try_lease(store, &site, run, 30).await.unwrap();
    assert_eq!(lease.target.requests_left, Some(50));
}
