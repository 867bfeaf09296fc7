//! Filters, budgets and facts on their way down and up.

use portolan::app::RegistryPatch;
use portolan_proto::v1;
use portolan_proto::v1::control_message::Body;
use portolan_shared::model::{FindingCode, NamePatterns, Reason, RunState, limits};
use tokio_stream::iter;

use crate::scene::{Scene, eventually, reason};
use crate::sensor::Sensor;
use crate::session::{hello, open};
use crate::upload::{Work, close, tags};

#[tokio::test]
async fn a_job_carries_the_tag_filter_and_what_is_left_of_the_budget() {
    let scene = Scene::new().await;
    let sensor = Sensor::enrol(&scene, "berlin").await;
    let run = scene.queue_run("gitlab", "berlin").await;
    let patch = RegistryPatch {
        tags: Some(NamePatterns::new(vec!["v*".to_owned()]).unwrap()),
        newest_tags: Some("7".parse().ok()),
        max_tag_age_days: Some("30".parse().ok()),
        requests_per_second: Some("20".parse().ok()),
        requests_per_day: Some("100".parse().ok()),
        ..RegistryPatch::default()
    };
    let app = scene.app();
    app.change_registry(&scene.admin, "gitlab", patch, None)
        .await
        .unwrap();
    let mut session = open(&scene, &sensor).await;
    let epoch = session.hello(hello(&[])).await.session_epoch;
    let Body::JobOffer(offer) = session.body().await else {
        panic!("no offer");
    };
    let target = offer.registry.unwrap();
    assert_eq!(
        (target.tag_patterns, target.newest_tags, target.max_tag_age_days),
        (vec!["v*".to_owned()], 7, 30)
    );
    assert_eq!(
        (target.per_second, target.per_day, target.requests_left),
        (20, 100, Some(100))
    );
    // All are used up: the next run waits, and says why.
    let mut upload = sensor.upload(&scene).await;
    let closing = v1::CloseRunRequest {
        progress: Some(v1::JobProgress {
            requests: 100,
            ..v1::JobProgress::default()
        }),
        ..close(&v1::Fence {
            attempt: offer.attempt,
            session_epoch: epoch,
        })
    };
    upload.close_run(closing).await.unwrap();
    assert_eq!(scene.run(run).await.progress.requests, 100);
    let next = app
        .queue_run(&scene.admin, "gitlab", Vec::new())
        .await
        .unwrap()
        .run
        .id;
    eventually("the run waits for its budget", || async {
        let finding = scene.run(next).await.finding;
        finding.is_some_and(|finding| finding.code == FindingCode::BudgetSpent)
    })
    .await;
}

#[tokio::test]
async fn tags_that_are_left_out_come_beside_the_tags_and_do_not_vanish() {
    let scene = Scene::new().await;
    let sensor = Sensor::enrol(&scene, "berlin").await;
    let mut work = Work::begin(&scene, &sensor, "berlin").await;
    let first = tags(&work.fence, &["1.0", "2.0", "3.0"], "listed");
    work.upload.commit_repository(iter([first])).await.unwrap();
    let last = tags(&work.fence, &["1.0"], "incomplete");
    let left_out = |names: &[&str]| v1::CommitRepositoryRequest {
        left_out: names.iter().map(ToString::to_string).collect(),
        ..v1::CommitRepositoryRequest::default()
    };
    let head = v1::CommitRepositoryRequest {
        tags: Vec::new(),
        end: None,
        ..last.clone()
    };
    let with = |names: &[&str]| v1::CommitRepositoryRequest {
        left_out: left_out(names).left_out,
        ..head.clone()
    };
    let committed = work
        .upload
        .commit_repository(iter([with(&["rc-2"]), left_out(&["2.0", "rc-1"]), last.clone()]))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (committed.appeared, committed.moved, committed.vanished),
        (0, 0, 1)
    );
    let run = scene.run(work.attempt.run).await;
    assert_eq!((run.changes.left_out, run.coverage.tags_filtered), (1, 3));
    let many = vec!["x".to_owned(); limits::TAGS_PER_PAGE + 1];
    let too_many = v1::CommitRepositoryRequest {
        left_out: many,
        ..head.clone()
    };
    for (what, bad) in [
        ("there and left out", vec![with(&["1.0"]), last.clone()]),
        ("no tag", vec![with(&["a b"]), last.clone()]),
        ("too many in a message", vec![too_many, last.clone()]),
        ("carries nothing", vec![head.clone(), last.clone()]),
    ] {
        let refused = work.upload.commit_repository(iter(bad)).await.unwrap_err();
        assert_eq!(reason(&refused), Reason::ProtocolViolation, "{what}");
    }
}

#[tokio::test]
async fn repositories_that_are_left_out_come_beside_the_entries_and_are_named() {
    let scene = Scene::new().await;
    let sensor = Sensor::enrol(&scene, "berlin").await;
    let mut work = Work::begin(&scene, &sensor, "berlin").await;
    let report = |filtered: Vec<String>| v1::ReportCoverageRequest {
        fence: Some(work.fence.clone()),
        entries: Vec::new(),
        filtered,
    };
    let named = report(vec!["tools/b".to_owned(), "tools/a".to_owned()]);
    let malformed = report(vec!["Not A Name".to_owned()]);
    let above = report(vec!["tools/c".to_owned(); limits::COVERAGE_ENTRIES_PER_PAGE + 1]);
    for _ in 0..2 {
        work.upload.report_coverage(named.clone()).await.unwrap();
    }
    for bad in [malformed, above] {
        let refused = work.upload.report_coverage(bad).await.unwrap_err();
        assert_eq!(reason(&refused), Reason::ProtocolViolation);
    }
    let closing = v1::CloseRunRequest {
        fence: Some(work.fence.clone()),
        discovery_complete: true,
        found: 5,
        filtered: 5,
        ..v1::CloseRunRequest::default()
    };
    work.upload.close_run(closing).await.unwrap();
    let run = scene.run(work.attempt.run).await;
    assert_eq!(run.state, RunState::Complete);
    assert_eq!((run.coverage.filtered, run.coverage.filtered_named), (5, 2));
}

#[tokio::test]
async fn a_closing_brings_methods_and_facts_and_is_refused_above_its_bounds() {
    let scene = Scene::new().await;
    let sensor = Sensor::enrol(&scene, "berlin").await;
    let mut work = Work::begin(&scene, &sensor, "berlin").await;
    let step = |method: &str| v1::DiscoveryStep {
        method: method.to_owned(),
        complete: true,
        ..v1::DiscoveryStep::default()
    };
    let listing = v1::ListingStep {
        method: "harbor.artifacts".to_owned(),
        repositories: 1,
        ..v1::ListingStep::default()
    };
    let closing = v1::CloseRunRequest {
        discovery: vec![step("harbor.projects"); limits::COVERAGE_METHODS],
        listings: vec![listing.clone(); limits::COVERAGE_METHODS],
        found: 0,
        tags_filtered: 12,
        facts: Some(v1::RegistryFacts {
            detection: Some(v1::Detection {
                flavour: "harbor".to_owned(),
                confidence: "high".to_owned(),
                evidence: vec!["says so".to_owned()],
                version: "v2.12".to_owned(),
            }),
            ..v1::RegistryFacts::default()
        }),
        ..close(&work.fence)
    };
    for (what, bad) in [
        (
            "too many methods of discovery",
            v1::CloseRunRequest {
                discovery: vec![step("catalog"); limits::COVERAGE_METHODS + 1],
                ..closing.clone()
            },
        ),
        (
            "too many methods of listing",
            v1::CloseRunRequest {
                listings: vec![listing; limits::COVERAGE_METHODS + 1],
                ..closing.clone()
            },
        ),
    ] {
        let refused = work.upload.close_run(bad).await.unwrap_err();
        assert_eq!(reason(&refused), Reason::ProtocolViolation, "{what}");
    }
    work.upload.close_run(closing).await.unwrap();
    let run = scene.run(work.attempt.run).await;
    let coverage = &run.coverage;
    assert_eq!(
        (
            coverage.discovery.len(),
            coverage.listings.len(),
            coverage.tags_filtered
        ),
        (limits::COVERAGE_METHODS, limits::COVERAGE_METHODS, 12)
    );
    let registry = scene
        .app()
        .registry(&scene.admin, "registry-of-berlin")
        .await
        .unwrap();
    let detection = registry.facts.detection.unwrap().fact;
    assert_eq!(
        (detection.flavour.as_str(), detection.version.as_deref()),
        ("harbor", Some("v2.12"))
    );
}
