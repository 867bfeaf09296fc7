//! The end of a run.

use portolan_shared::model::{
    CoverageEntry, DiscoveryMethod, DiscoveryStep, Finding, FindingCode, RepositoryOutcome, RunState,
};
use portolan_store::{PageRequest, RunClosing, Store, StoreError};

use crate::site::{Site, at, commit_listed as commit, name, present, requeue_expired, whole};

fn entry(repository: &str, outcome: RepositoryOutcome) -> CoverageEntry {
    let finding = Some(Finding::new(FindingCode::Denied, repository));
    CoverageEntry {
        repository: name(repository),
        outcome,
        finding,
    }
}

/// Last success moves then, and only then.
pub async fn complete_only_if_everything_was_seen(store: &dyn Store) {
    let site = Site::new(store).await;
    let last_success = || async {
        store
            .registry(site.tenant, site.registry)
            .await
            .unwrap()
            .unwrap()
            .last_success_at
    };
    let fence = site.start(store, 10).await;
    commit(store, &fence, "a", 11).await;
    store
        .report_coverage(&fence, &[entry("b", RepositoryOutcome::Denied)], at(12))
        .await
        .unwrap();
    let closed = store.close_run(&fence, &whole(2), at(13)).await.unwrap();
    assert_eq!((closed.state, closed.again), (RunState::Partial, false));
    assert_eq!(last_success().await, None);
    let fence = site.start(store, 20).await;
    commit(store, &fence, "a", 21).await;
    let cut = RunClosing {
        discovery_complete: false,
        ..whole(1)
    };
    assert_eq!(
        store.close_run(&fence, &cut, at(22)).await.unwrap().state,
        RunState::Partial
    );
    assert_eq!(last_success().await, None);
    let fence = site.start(store, 30).await;
    commit(store, &fence, "a", 31).await;
    let step = DiscoveryStep {
        method: DiscoveryMethod::Catalog,
        found: 3,
        complete: true,
        finding: None,
    };
    let closing = RunClosing {
        discovery: vec![step],
        filtered: 2,
        ..whole(3)
    };
    assert_eq!(
        store.close_run(&fence, &closing, at(32)).await.unwrap().state,
        RunState::Complete
    );
    assert_eq!(last_success().await, Some(at(32)));
    let run = store.run(site.tenant, fence.attempt.run).await.unwrap().unwrap();
    assert!(run.coverage.is_complete());
    assert_eq!(
        (run.coverage.found, run.coverage.filtered, run.coverage.discovery),
        (3, 2, closing.discovery)
    );
    assert_eq!(run.ended_at, Some(at(32)));
}

/// Not just of the one that closes.
pub async fn coverage_counts_all_attempts(store: &dyn Store) {
    let site = Site::new(store).await;
    let fence = site.start(store, 10).await;
    commit(store, &fence, "a", 11).await;
    let reports = [
        entry("d", RepositoryOutcome::Denied),
        entry("c", RepositoryOutcome::Missing),
        entry("e", RepositoryOutcome::Refused),
    ];
    store.report_coverage(&fence, &reports, at(11)).await.unwrap();
    let lost = requeue_expired(store, 200).await;
    assert!(lost.iter().any(|lost| lost.attempt == fence.attempt));
    let next = site.lease(store, fence.attempt.run, 201).await;
    let running = store.run(site.tenant, fence.attempt.run).await.unwrap().unwrap();
    assert_eq!(
        (running.coverage.listed, running.coverage.denied),
        (1, 1),
        "an open run tells how far it is"
    );
    commit(store, &next, "b", 202).await;
    store.close_run(&next, &whole(5), at(203)).await.unwrap();
    let run = store.run(site.tenant, fence.attempt.run).await.unwrap().unwrap();
    let coverage = &run.coverage;
    assert_eq!(
        (
            coverage.listed,
            coverage.denied,
            coverage.missing,
            coverage.refused
        ),
        (2, 1, 1, 1)
    );
    assert_eq!((coverage.failed, coverage.tags), (0, 2));
    let mut names = Vec::new();
    let mut page = PageRequest {
        after: None,
        limit: 2,
    };
    loop {
        let found = store
            .run_coverage(site.tenant, run.id, None, &page)
            .await
            .unwrap();
        names.extend(
            found
                .items
                .iter()
                .map(|entry| entry.repository.as_str().to_owned()),
        );
        let Some(next) = found.next else { break };
        page.after = Some(next);
    }
    assert_eq!(names, ["c", "d", "e"]);
}

/// The answer was lost; the session may even be another one by now.
pub async fn t32_closing_twice_gives_the_stored_outcome(store: &dyn Store) {
    let mut site = Site::new(store).await;
    site.sync(store, &[("a", &[("1", "one")]), ("b", &[("1", "one")])], 10)
        .await;
    let fence = site.start(store, 20).await;
    commit(store, &fence, "a", 21).await;
    let closed = store.close_run(&fence, &whole(1), at(22)).await.unwrap();
    assert_eq!(
        (closed.state, closed.repositories_vanished),
        (RunState::Complete, 1)
    );
    site.reconnect(store).await;
    let different = RunClosing {
        discovery_complete: false,
        ..whole(9)
    };
    let again = store
        .close_run(&site.fence(fence.attempt), &different, at(23))
        .await
        .unwrap();
    assert_eq!(
        (again.state, again.repositories_vanished, again.again),
        (RunState::Complete, 1, true)
    );
    let late = store.report_coverage(&fence, &[], at(24)).await;
    assert!(matches!(late, Err(StoreError::Stale(_))));
}

/// With a commit it is partial: what was committed is true.
pub async fn a_failure_without_a_commit_fails_the_run(store: &dyn Store) {
    let site = Site::new(store).await;
    site.sync(store, &[("a", &[("1", "one")]), ("b", &[("1", "one")])], 5)
        .await;
    let failure = Finding::new(FindingCode::Unreachable, "no route");
    let closing = RunClosing {
        failure: Some(failure.clone()),
        ..whole(0)
    };
    let fence = site.start(store, 10).await;
    let closed = store.close_run(&fence, &closing, at(11)).await.unwrap();
    assert_eq!(
        (closed.state, closed.repositories_vanished),
        (RunState::Failed, 0)
    );
    let run = store.run(site.tenant, fence.attempt.run).await.unwrap().unwrap();
    assert_eq!(run.finding, Some(failure));
    let fence = site.start(store, 20).await;
    commit(store, &fence, "a", 21).await;
    let closed = store.close_run(&fence, &closing, at(22)).await.unwrap();
    assert_eq!(
        (closed.state, closed.repositories_vanished),
        (RunState::Partial, 0)
    );
    assert_eq!(present(store, &site).await, ["a", "b"]);
}

/// The sensor found three and tells of two.
pub async fn a_found_repository_that_came_to_nothing_is_not_passed_over(store: &dyn Store) {
    let site = Site::new(store).await;
    site.sync(store, &[("a", &[("1", "one")]), ("b", &[("1", "one")])], 10)
        .await;
    let fence = site.start(store, 20).await;
    commit(store, &fence, "a", 21).await;
    let closed = store.close_run(&fence, &whole(2), at(22)).await.unwrap();
    assert_eq!(
        (closed.state, closed.repositories_vanished),
        (RunState::Partial, 0)
    );
    let run = store.run(site.tenant, fence.attempt.run).await.unwrap().unwrap();
    assert_eq!((run.coverage.listed, run.coverage.failed), (1, 1));
}

/// But a report cannot make a repository complete.
pub async fn the_last_report_on_a_repository_stands(store: &dyn Store) {
    let site = Site::new(store).await;
    site.sync(store, &[("a", &[("1", "one")])], 10).await;
    let fence = site.start(store, 20).await;
    for outcome in [RepositoryOutcome::Failed, RepositoryOutcome::Denied] {
        store
            .report_coverage(&fence, &[entry("a", outcome), entry("new", outcome)], at(21))
            .await
            .unwrap();
    }
    let known = store
        .repository(site.tenant, site.registry, &name("a"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!((known.outcome, known.tags), (RepositoryOutcome::Denied, 1));
    assert_eq!(
        (known.last_attempt_at, known.last_success_at),
        (at(21), Some(at(10)))
    );
    assert!(
        store
            .repository(site.tenant, site.registry, &name("new"))
            .await
            .unwrap()
            .is_none()
    );
    assert_eq!(
        store.pending_repositories(&fence, &[name("a")]).await.unwrap(),
        [true]
    );
    for outcome in [RepositoryOutcome::Listed, RepositoryOutcome::Unchanged] {
        let refused = store
            .report_coverage(&fence, &[entry("a", outcome)], at(22))
            .await;
        assert!(matches!(refused, Err(StoreError::Refused { .. })), "{outcome}");
    }
    store.close_run(&fence, &whole(2), at(23)).await.unwrap();
    let run = store.run(site.tenant, fence.attempt.run).await.unwrap().unwrap();
    assert_eq!(
        (run.state, run.coverage.denied, run.coverage.failed),
        (RunState::Partial, 2, 0)
    );
    assert_eq!(present(store, &site).await, ["a"], "denied is not gone");
}
