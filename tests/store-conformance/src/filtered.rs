//! Repositories that the registry's patterns leave out.

use portolan_shared::model::{CoverageEntry, Finding, FindingCode, RepositoryOutcome, RunState, limits};
use portolan_store::{Fence, PageRequest, RunClosing, Store};

use crate::site::{Site, at, commit_listed as commit, name, present, requeue_expired, whole};

fn entry(repository: &str, outcome: RepositoryOutcome) -> CoverageEntry {
    CoverageEntry {
        repository: name(repository),
        outcome,
        finding: (outcome != RepositoryOutcome::Filtered)
            .then(|| Finding::new(FindingCode::Denied, repository)),
    }
}

async fn leave_out(store: &dyn Store, fence: &Fence, names: &[&str], seconds: i64) {
    let entries: Vec<_> = names
        .iter()
        .map(|name| entry(name, RepositoryOutcome::Filtered))
        .collect();
    store.report_coverage(fence, &entries, at(seconds)).await.unwrap();
}

/// Names of the run's repositories with this outcome, from as many pages as it takes.
async fn listed(store: &dyn Store, fence: &Fence, outcome: Option<RepositoryOutcome>) -> Vec<String> {
    let mut names = Vec::new();
    let mut page = PageRequest {
        after: None,
        limit: 700,
    };
    loop {
        let found = store
            .run_coverage(fence.tenant, fence.attempt.run, outcome, &page)
            .await
            .unwrap();
        names.extend(found.items.iter().map(|entry| entry.repository.to_string()));
        let Some(next) = found.next else { break };
        page.after = Some(next);
    }
    names
}

fn leaving_out(found: u64, filtered: u64) -> RunClosing {
    RunClosing {
        filtered,
        ..whole(found)
    }
}

/// They make no run less complete, and nothing that is known of them changes.
pub async fn what_was_left_out_is_named_and_touches_nothing(store: &dyn Store) {
    let site = Site::new(store).await;
    site.sync(
        store,
        &[("acme/a", &[("1", "one")]), ("tools/c", &[("1", "one")])],
        10,
    )
    .await;
    let fence = site.start(store, 20).await;
    commit(store, &fence, "acme/a", 21).await;
    let entries = [
        entry("tools/d", RepositoryOutcome::Filtered),
        entry("acme/closed", RepositoryOutcome::Denied),
        entry("tools/c", RepositoryOutcome::Filtered),
    ];
    store.report_coverage(&fence, &entries, at(22)).await.unwrap();
    let running = store.run(site.tenant, fence.attempt.run).await.unwrap().unwrap();
    let of_it = &running.coverage;
    assert_eq!(
        (of_it.filtered, of_it.filtered_named, of_it.in_scope()),
        (2, 2, 2)
    );
    store.close_run(&fence, &leaving_out(4, 2), at(23)).await.unwrap();
    let closed = store.run(site.tenant, fence.attempt.run).await.unwrap().unwrap();
    let of_it = &closed.coverage;
    assert_eq!(
        (of_it.filtered, of_it.filtered_named, of_it.denied, of_it.failed),
        (2, 2, 1, 0)
    );
    assert_eq!(closed.state, RunState::Partial, "for the one that is denied");
    assert_eq!(listed(store, &fence, None).await, ["acme/closed"]);
    let filtered = Some(RepositoryOutcome::Filtered);
    assert_eq!(listed(store, &fence, filtered).await, ["tools/c", "tools/d"]);
    let denied = Some(RepositoryOutcome::Denied);
    assert_eq!(listed(store, &fence, denied).await, ["acme/closed"]);
    let left_out = name("tools/c");
    let known = store.repository(site.tenant, site.registry, &left_out);
    let known = known.await.unwrap().unwrap();
    assert_eq!((known.outcome, known.tags), (RepositoryOutcome::Listed, 1));
    assert_eq!(
        (known.last_attempt_at, known.last_success_at),
        (at(10), Some(at(10)))
    );
    assert_eq!(present(store, &site).await, ["acme/a", "tools/c"]);
    let fence = site.start(store, 30).await;
    commit(store, &fence, "acme/a", 31).await;
    leave_out(store, &fence, &["tools/c"], 31).await;
    let closed = store.close_run(&fence, &leaving_out(2, 1), at(32)).await.unwrap();
    assert_eq!(
        (closed.state, closed.repositories_vanished),
        (RunState::Complete, 0)
    );
}

/// The first of them are named, in the order in which they are told; the others are counted.
pub async fn names_of_what_was_left_out_have_a_bound(store: &dyn Store) {
    let site = Site::new(store).await;
    let bound = limits::FILTERED_NAMED;
    // Told in the opposite of their alphabetical order.
    let names: Vec<String> = (0..=bound)
        .rev()
        .map(|number| format!("tools/r{number:04}"))
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for (beyond, start) in [(0, 10), (1, 20)] {
        let fence = site.start(store, start).await;
        let told = &names[..bound + beyond];
        for page in told.chunks(limits::COVERAGE_ENTRIES_PER_PAGE) {
            leave_out(store, &fence, page, start + 1).await;
        }
        let found = told.len() as u64;
        let closed = store
            .close_run(&fence, &leaving_out(found, found), at(start + 2))
            .await;
        assert_eq!(closed.unwrap().state, RunState::Complete);
        let run = store.run(site.tenant, fence.attempt.run).await.unwrap().unwrap();
        assert_eq!(
            (run.coverage.filtered, run.coverage.filtered_named),
            (found, bound as u64)
        );
        let mut kept = listed(store, &fence, Some(RepositoryOutcome::Filtered)).await;
        kept.reverse();
        assert_eq!(kept, names[..bound]);
    }
}

/// What an attempt names again is there once; what came to something, before or after, is not left out.
pub async fn what_was_left_out_is_counted_once_over_all_attempts(store: &dyn Store) {
    let site = Site::new(store).await;
    let fence = site.start(store, 10).await;
    commit(store, &fence, "committed", 11).await;
    let denied = [entry("denied", RepositoryOutcome::Denied)];
    store.report_coverage(&fence, &denied, at(11)).await.unwrap();
    leave_out(store, &fence, &["a", "b", "a", "wanted/1", "wanted/2"], 11).await;
    requeue_expired(store, 200).await;
    let fence = site.lease(store, fence.attempt.run, 201).await;
    // The patterns were changed in between.
    leave_out(store, &fence, &["a", "committed", "denied", "c"], 202).await;
    commit(store, &fence, "wanted/1", 203).await;
    let denied = [entry("wanted/2", RepositoryOutcome::Denied)];
    store.report_coverage(&fence, &denied, at(203)).await.unwrap();
    let filtered = listed(store, &fence, Some(RepositoryOutcome::Filtered)).await;
    assert_eq!(filtered, ["a", "b", "c", "denied"]);
    assert_eq!(listed(store, &fence, None).await, ["wanted/2"]);
    store
        .close_run(&fence, &leaving_out(6, 3), at(204))
        .await
        .unwrap();
    let run = store.run(site.tenant, fence.attempt.run).await.unwrap().unwrap();
    let coverage = &run.coverage;
    assert_eq!((coverage.filtered, coverage.filtered_named), (4, 4));
    assert_eq!((coverage.listed, coverage.denied, coverage.failed), (2, 1, 0));
}
