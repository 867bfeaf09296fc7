//! What an examination sends is counted, and stays within the registry's budget, wherever it goes.

use std::sync::Arc;

use portolan_doubles::faults::{Fault, Rule};
use portolan_doubles::{Content, RegistryDouble};
use portolan_registry::Access;
use portolan_shared::model::{Diagnosis, Stage, Verdict};

use crate::scene::{PickyGate, Scene, examine, report};

#[tokio::test]
async fn every_request_of_an_examination_is_counted() {
    let scene = Scene::new();
    let registry = RegistryDouble::builder(Content::gitlab_fixture())
        .start(None, &scene.tasks)
        .await
        .unwrap();
    let diagnosis = examine(scene.access(&registry.url())).await;
    assert!(diagnosis.is_sound(), "{diagnosis:?}");
    let heard = registry.log().count(|_| true);
    assert!(heard > 5);
    assert_eq!(diagnosis.requests, u64::try_from(heard).unwrap());
}

/// Examines what is no registry, so that other places are worth a try.
async fn nothing_here(scene: &Scene, change: impl FnOnce(&mut Access)) -> Diagnosis {
    let registry = RegistryDouble::builder(Content::gitlab_fixture())
        .start(None, &scene.tasks)
        .await
        .unwrap();
    let missing = Fault::Answer {
        status: 404,
        code: "",
        retry_after: None,
    };
    registry.faults().add(Rule::all(), missing);
    let mut access = scene.access(&registry.url());
    change(&mut access);
    let diagnosis = examine(access).await;
    assert_eq!(report(&diagnosis, Stage::Api).verdict, Verdict::Failed);
    diagnosis
}

#[tokio::test]
async fn other_places_are_asked_within_the_registrys_budget() {
    let scene = Scene::new();
    let of_api = |diagnosis: &Diagnosis| report(diagnosis, Stage::Api).seen.join("\n");
    let alone = nothing_here(&scene, |access| {
        access.gate = Arc::new(PickyGate {
            loopback: true,
            only: Some(access.url.port()),
            ..PickyGate::default()
        });
    })
    .await;
    assert!(of_api(&alone).contains("not contacted: the policy does not allow it"));
    assert!(alone.requests > 0);
    for left in [alone.requests, alone.requests + 1] {
        let diagnosis = nothing_here(&scene, |access| access.requests_left = Some(left)).await;
        assert_eq!(diagnosis.requests, left, "all of it, and no more");
        let seen = of_api(&diagnosis);
        let not_asked = seen.matches("worth a try, but not asked: the budget of requests is spent");
        let places = 2;
        assert_eq!(
            not_asked.count() as u64,
            places - (left - alone.requests),
            "{seen}"
        );
    }
}
