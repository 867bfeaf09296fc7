//! Accounts of runs, as people read them.

use portolan_shared::model::{Finding, FindingCode, limits};
use serde_json::json;

use super::{Lines, account};
use crate::web::api::FindingView;
use crate::web::api::runs::{CoverageLine, Run};

fn run(state: &str) -> Run {
    serde_json::from_value(json!({
        "id": "01890a5d-ac96-774b-bcce-b302099a8057",
        "registry": {"id": "01890a5d-ac96-774b-bcce-b302099a8058", "name": "gitlab"},
        "trigger": "manual", "repositories": [], "requested_by": "admin",
        "state": state, "ended": !matches!(state, "queued" | "leased"), "attempt": 1,
        "sensor": {"id": "01890a5d-ac96-774b-bcce-b302099a8059", "name": "berlin-1"},
        "queued_at": "2027-01-15T08:00:00Z", "started_at": "2027-01-15T08:00:01Z", "ended_at": "2027-01-15T08:00:09Z",
        "progress": {
            "repositories_total": 42, "repositories_done": 42, "tags": 600, "manifests": 310, "requests": 1733, "bytes_up": 1_250_000,
            "discovered": true,
        },
        "coverage": {
            "discovery": [{"method": "catalog", "found": 45, "complete": true, "finding": null}],
            "discovery_complete": true, "found": 45, "filtered": 3, "listed": 30, "unchanged": 12, "incomplete": 0, "truncated": 0,
            "denied": 0, "missing": 0, "failed": 0, "refused": 0, "tags": 600,
        },
        "finding": null,
        "changes": {"appeared": 20, "moved": 3, "vanished": 1},
        "content_stored": 95,
    }))
    .unwrap()
}

fn line(repository: &str, outcome: &str, finding: Finding) -> CoverageLine {
    CoverageLine {
        repository: repository.to_owned(),
        outcome: outcome.to_owned(),
        finding: Some(FindingView::from(finding)),
    }
}

#[test]
fn complete() {
    insta::assert_snapshot!(account(
        &run("complete"),
        &Lines::default(),
        &Lines::default(),
        None
    ));
}

#[test]
fn partial_with_reasons() {
    let mut run = run("partial");
    run.coverage.listed = 28;
    run.coverage.denied = 2;
    run.coverage.incomplete = 1;
    run.coverage.discovery_complete = false;
    run.coverage.discovery[0].complete = false;
    run.coverage.discovery[0].finding = Some(FindingView::from(Finding::new(
        FindingCode::ListingIncomplete,
        "page 3 of the catalog failed",
    )));
    let items = vec![
        line("acme/closed", "denied", Finding::new(FindingCode::Denied, "403")),
        line(
            "acme/odd",
            "incomplete",
            Finding::new(FindingCode::DigestMismatch, "sha256:0011 served other content"),
        ),
        line("acme/shut", "denied", Finding::new(FindingCode::Denied, "403")),
    ];
    insta::assert_snapshot!(account(
        &run,
        &Lines { items, more: true },
        &Lines::default(),
        None
    ));
}

#[test]
fn failed_before_anything_could_be_seen() {
    let mut run = run("failed");
    run.coverage = serde_json::from_value(json!({
        "discovery": [], "discovery_complete": false, "found": 0, "filtered": 0, "listed": 0, "unchanged": 0, "incomplete": 0, "truncated": 0,
        "denied": 0, "missing": 0, "failed": 0, "refused": 0, "tags": 0,
    }))
    .unwrap();
    run.finding = Some(FindingView::from(Finding::new(
        FindingCode::TlsUntrusted,
        "chain: CN=registry.example.com < CN=Acme Private CA",
    )));
    insta::assert_snapshot!(account(&run, &Lines::default(), &Lines::default(), None));
}

#[test]
fn queued() {
    let mut run = run("queued");
    (run.attempt, run.sensor, run.started_at, run.ended_at) = (0, None, None, None);
    run.progress.requests = 0;
    insta::assert_snapshot!(account(
        &run,
        &Lines::default(),
        &Lines::default(),
        Some("Waits for sensor office, last seen 3 h ago.")
    ));
}

#[test]
fn asked_for_again_while_it_was_open() {
    let mut run = run("failed");
    run.trigger = "reconcile".to_owned();
    run.requested_by = "schedule: missed since 2027-01-14T08:00:00Z".to_owned();
    run.references = vec!["acme/shop:1.0".to_owned(), "acme/shop:2.0".to_owned()];
    run.reasons = serde_json::from_value(json!([
        {"trigger": "reconcile", "requested_by": run.requested_by, "at": "2027-01-15T08:00:00Z"},
        {"trigger": "manual", "requested_by": "admin", "at": "2027-01-15T08:00:03Z"},
        {"trigger": "event", "requested_by": "events", "at": "2027-01-15T08:00:04Z"},
    ]))
    .unwrap();
    run.more_reasons = 7;
    run.finding = Some(FindingView::from(Finding::new(
        FindingCode::RunTooLong,
        "the run was still under way when its time was up; what it had committed stays",
    )));
    insta::assert_snapshot!(account(&run, &Lines::default(), &Lines::default(), None));
}

fn left_out(count: usize) -> Lines {
    let item = |n| CoverageLine {
        repository: format!("tools/r{n:04}"),
        outcome: "filtered".to_owned(),
        finding: None,
    };
    Lines {
        items: (0..count).map(item).collect(),
        more: false,
    }
}

#[test]
fn complete_with_what_was_left_out() {
    let mut run = run("complete");
    run.coverage.filtered_named = 3;
    insta::assert_snapshot!(account(&run, &Lines::default(), &left_out(3), None));
}

#[test]
fn what_was_left_out_is_counted_where_it_is_not_named() {
    let mut run = run("complete");
    for (count, not_named) in [
        (limits::FILTERED_NAMED, None),
        (limits::FILTERED_NAMED + 1, Some(1)),
    ] {
        run.coverage.filtered = count as u64;
        run.coverage.filtered_named = limits::FILTERED_NAMED as u64;
        let text = account(&run, &Lines::default(), &left_out(limits::FILTERED_NAMED), None);
        assert!(
            text.contains(&format!("patterns ({count} repositories)")),
            "{text}"
        );
        assert!(text.contains("and 980 more: see `-o json`"), "{text}");
        let told = not_named.map(|count| format!("{count} more not named: a run names 1000 of them."));
        assert_eq!(text.contains("more not named"), told.is_some());
        assert!(told.is_none_or(|told| text.contains(&told)), "{text}");
    }
}

#[test]
fn many_repositories_with_one_reason_are_counted_not_dropped() {
    let items = (0..50)
        .map(|n| {
            line(
                &format!("acme/r{n:02}"),
                "denied",
                Finding::new(FindingCode::Denied, "403\u{1b}[31m"),
            )
        })
        .collect();
    let lines = Lines { items, more: false };
    let text = account(&run("partial"), &lines, &Lines::default(), None);
    assert!(text.contains("denied: registry.denied (50 repositories)"));
    assert!(text.contains("and 30 more: see `-o json`"));
    assert!(!text.contains('\u{1b}'));
}
