//! A budget that is spent on the way.

use portolan_shared::model::{FindingCode, RepositoryOutcome as Outcome, RunState};

use super::registry::{MemoryRegistry, Request};
use super::scene::Scene;
use crate::inventory::Failure;

const SPENT: Option<FindingCode> = Some(FindingCode::BudgetSpent);

fn scene() -> Scene {
    let mut scene = Scene::of(MemoryRegistry {
        page: 4,
        ..MemoryRegistry::default()
    });
    scene.walk.pace.repositories = 1;
    scene.walk.pace.tags = 1;
    for n in 0..8 {
        scene.registry.image(&format!("r{n}"), "1", &n.to_string());
    }
    scene
}

fn spent_at(scene: &Scene, request: Request) {
    scene
        .registry
        .fail(request, Failure::Everywhere, FindingCode::BudgetSpent);
}

#[tokio::test]
async fn what_was_read_stays_and_the_rest_is_named_with_the_reason() {
    for request in [
        Request::Tags("r2".into(), 0),
        Request::Resolve("r2".into(), "1".into()),
    ] {
        let scene = scene();
        spent_at(&scene, request);
        let (state, log) = scene.run().await;
        assert_eq!(state, RunState::Partial);
        assert!(scene.closing().failure.is_none());
        for name in ["r0", "r1"] {
            assert_eq!(scene.committed(name), Some((Outcome::Listed, None)));
        }
        for name in ["r2", "r3"] {
            assert_eq!(scene.reported(name), Some((Outcome::Failed, SPENT)), "{name}");
            assert!(scene.committed(name).is_none());
        }
        assert!(
            !log.contains(&Request::Tags("r3".into(), 0)),
            "nothing more is asked"
        );
    }
}

#[tokio::test]
async fn a_repository_whose_content_was_cut_off_is_not_committed() {
    let scene = scene();
    let (late, _) = scene.registry.image("r2", "late", "late");
    spent_at(&scene, Request::Manifest("r2".into(), late.digest));
    assert_eq!(scene.run().await.0, RunState::Partial);
    assert_eq!(scene.reported("r2"), Some((Outcome::Failed, SPENT)));
    assert!(scene.committed("r2").is_none() && scene.committed("r1").is_some());
}

#[tokio::test]
async fn discovery_that_was_cut_off_says_so() {
    let scene = scene();
    spent_at(&scene, Request::Catalog(1));
    assert_eq!(scene.run().await.0, RunState::Partial);
    let closing = scene.closing();
    assert!(!closing.discovery_complete && closing.failure.is_none());
    let step = &closing.discovery[0];
    assert_eq!(step.finding.as_ref().map(|finding| finding.code), SPENT);
}

#[tokio::test]
async fn a_budget_that_was_spent_before_anything_was_read_is_a_failure() {
    let scene = scene();
    spent_at(&scene, Request::Open);
    assert_eq!(scene.run().await.0, RunState::Failed);
    let closing = scene.closing();
    assert_eq!(closing.failure.map(|finding| finding.code), SPENT);
    assert_eq!(closing.discovery.len(), 1);
}
