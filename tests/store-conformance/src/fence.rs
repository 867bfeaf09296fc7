//! The fence around every effect of a sensor.

use portolan_shared::model::{
    AttemptRef, CoverageEntry, Finding, FindingCode, RepositoryOutcome, RunId, RunState, TenantId,
};
use portolan_shared::process::SystemRng;
use portolan_store::{
    ContentKind, Fence, OfferedRepository, PageRequest, RepositoryFilter, RunClosing, StaleFence, Store,
    StoreError,
};

use crate::site::{Site, at, commit_of, digest, image_of, name, put, revoke};

/// Tries every effect and says what each was refused as.
async fn refusals(store: &dyn Store, fence: &Fence) -> Vec<(&'static str, Option<StaleFence>)> {
    fn of<T>(result: Result<T, StoreError>) -> Option<StaleFence> {
        match result {
            Ok(_) => None,
            Err(StoreError::Stale(what)) => Some(what),
            Err(other) => panic!("{other}"),
        }
    }
    let finding = Finding::new(FindingCode::Internal, "x");
    let commit = commit_of("x/late", &[("1", "late")], RepositoryOutcome::Listed);
    let offered = OfferedRepository {
        repository: name("x/known"),
        state_hash: commit.state_hash,
        tags: 1,
        age: commit.age,
    };
    let entry = CoverageEntry {
        repository: name("x/late"),
        outcome: RepositoryOutcome::Failed,
        finding: None,
    };
    vec![
        ("check", of(store.check_fence(fence).await)),
        (
            "pending",
            of(store.pending_repositories(fence, &[name("x/late")]).await),
        ),
        (
            "offer repositories",
            of(store.offer_repositories(fence, &[offered], at(50)).await),
        ),
        (
            "offer digests",
            of(store
                .offer_digests(fence, ContentKind::Manifest, &[digest("late")])
                .await),
        ),
        (
            "put",
            of(store.put_content(fence, &[put(image_of("late"))], at(50)).await),
        ),
        ("refused batch", of(store.record_refused_batch(fence).await)),
        (
            "commit",
            of(store.commit_repository(fence, &commit, at(50)).await),
        ),
        ("report", of(store.report_coverage(fence, &[entry], at(50)).await)),
        ("return", of(store.return_lease(fence, at(50)).await)),
        (
            "fail",
            of(store.fail_attempt(fence, &finding, None, at(50)).await),
        ),
        (
            "close",
            of(store.close_run(fence, &RunClosing::default(), at(50)).await),
        ),
    ]
}

async fn assert_stale(store: &dyn Store, site: &Site, fence: &Fence, what: StaleFence) {
    for (effect, refused) in refusals(store, fence).await {
        assert_eq!(refused, Some(what), "{effect}");
    }
    assert!(store.renew_leases(&[*fence], at(50)).await.unwrap().is_empty());
    assert!(
        store
            .manifest(site.tenant, &digest("late"))
            .await
            .unwrap()
            .is_none()
    );
    let all = store
        .repositories(site.tenant, &RepositoryFilter::default(), &PageRequest::first())
        .await
        .unwrap();
    assert!(all.items.is_empty(), "nothing was changed");
}

/// Older, newer, and of another tenant.
pub async fn t30_every_effect_of_another_session_is_stale(store: &dyn Store) {
    let mut site = Site::new(store).await;
    let fence = site.start(store, 10).await;
    let newer = Fence {
        session_epoch: fence.session_epoch + 1,
        ..fence
    };
    assert_stale(store, &site, &newer, StaleFence::Session).await;
    let elsewhere = Fence {
        tenant: TenantId::random(&SystemRng),
        ..fence
    };
    assert_stale(store, &site, &elsewhere, StaleFence::Session).await;
    site.reconnect(store).await;
    assert_stale(store, &site, &fence, StaleFence::Session).await;
    let run = store.run(site.tenant, fence.attempt.run).await.unwrap().unwrap();
    assert_eq!(run.state, RunState::Leased);
}

/// Another number, another run, a run that is queued again, another sensor's.
pub async fn t30_every_effect_of_an_attempt_that_is_over_is_stale(store: &dyn Store) {
    let site = Site::new(store).await;
    let fence = site.start(store, 10).await;
    for attempt in [0, 2] {
        let other = Fence {
            attempt: AttemptRef {
                attempt,
                ..fence.attempt
            },
            ..fence
        };
        assert_stale(store, &site, &other, StaleFence::Attempt).await;
    }
    let (other, serial) = crate::site::sensor(store, site.tenant, "other").await;
    let epoch = crate::site::session(store, site.tenant, other, serial).await;
    let foreign = Fence {
        sensor: other,
        session_epoch: epoch,
        ..fence
    };
    assert_stale(store, &site, &foreign, StaleFence::Attempt).await;
    store.return_lease(&fence, at(20)).await.unwrap();
    assert_stale(store, &site, &fence, StaleFence::Attempt).await;
    site.lease(store, fence.attempt.run, 30).await;
    assert_stale(store, &site, &fence, StaleFence::Attempt).await;
}

/// Even though nobody else has its lease.
pub async fn t30_every_effect_of_a_revoked_sensor_is_stale(store: &dyn Store) {
    let site = Site::new(store).await;
    let fence = site.start(store, 10).await;
    revoke(store, site.tenant, site.sensor, 20).await;
    assert_stale(store, &site, &fence, StaleFence::Attempt).await;
}

/// And from those whose registry was removed it cannot tell them apart.
pub async fn t30_runs_of_another_tenant_are_told_apart_from_attempts_that_are_over(store: &dyn Store) {
    let site = Site::new(store).await;
    let fence = site.start(store, 10).await;
    let victim = Site::new(store).await;
    let theirs = victim.start(store, 10).await;
    for attempt in [
        theirs.attempt,
        AttemptRef {
            run: RunId::random(&SystemRng),
            attempt: 1,
        },
    ] {
        let foreign = Fence { attempt, ..fence };
        assert_stale(store, &site, &foreign, StaleFence::Run).await;
    }
    let run = store
        .run(victim.tenant, theirs.attempt.run)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(run.state, RunState::Leased);
}

/// So that a sensor or a store that corrupts content is found out.
pub async fn refused_batches_are_counted_for_each_attempt(store: &dyn Store) {
    let site = Site::new(store).await;
    let fence = site.start(store, 10).await;
    for count in 1..=3 {
        assert_eq!(store.record_refused_batch(&fence).await.unwrap(), count);
    }
    store.return_lease(&fence, at(11)).await.unwrap();
    let next = site.lease(store, fence.attempt.run, 12).await;
    assert_eq!(store.record_refused_batch(&next).await.unwrap(), 1);
}
