//! Runs.

use axum::http::{Method, StatusCode};
use portolan_shared::model::{CoverageEntry, Finding, FindingCode, RepositoryOutcome, RunProgress, limits};
use serde_json::json;

use crate::shop::{Shop, close};
use crate::world::World;

#[tokio::test]
async fn a_run_is_queued_once_however_often_it_is_asked_for() {
    let world = World::new().await;
    world.sensor("berlin-1").await;
    world.registry("gl", "https://h", "berlin-1").await;
    let path = "/api/v1/registries/gl/runs";
    let first = world
        .ask(&world.operator, Method::POST, path, Some(json!({})))
        .await;
    assert_eq!(
        (first.status, &first.json()["joined"]),
        (StatusCode::CREATED, &json!(false))
    );
    assert_eq!(first.json()["run"]["state"], "queued");
    assert_eq!(first.json()["run"]["requested_by"], "operator");
    world.app.signals.runs.notified().await;
    let second = world
        .ask(&world.operator, Method::POST, path, Some(json!({})))
        .await;
    assert_eq!(
        (second.status, &second.json()["joined"]),
        (StatusCode::OK, &json!(true))
    );
    assert_eq!(second.json()["run"]["id"], first.json()["run"]["id"]);
    let narrower = json!({"repositories": ["b", "a", "b"]});
    let third = world
        .ask(&world.operator, Method::POST, path, Some(narrower))
        .await;
    assert_eq!(third.json()["joined"], false, "another scope is another run");
    assert_eq!(third.json()["run"]["repositories"], json!(["a", "b"]));
    let listed = world.get("/api/v1/runs?registry=gl&state=queued").await.json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);
    assert_eq!(
        listed["items"][0]["id"],
        third.json()["run"]["id"],
        "newest first"
    );
}

#[tokio::test]
async fn whoever_asks_while_a_run_is_under_way_has_one_of_his_own_that_others_join() {
    let world = World::new().await;
    let shop = Shop::open(&world).await;
    let fence = world.leased_run("gl", shop.sensor, shop.epoch).await;
    let begun = json!(fence.attempt.run);
    let ask = async || world.post("/api/v1/registries/gl/runs", json!({})).await;
    let second = ask().await;
    let run = &second.json()["run"];
    assert_eq!(
        (second.status, &second.json()["joined"], &run["behind"]),
        (StatusCode::CREATED, &json!(false), &begun)
    );
    assert_ne!(run["id"], begun);
    let third = ask().await;
    assert_eq!(
        (third.status, &third.json()["joined"], &third.json()["run"]["id"]),
        (StatusCode::OK, &json!(true), &run["id"])
    );
    close(&world, &fence, 0, 0).await;
    let path = format!("/api/v1/runs/{}", run["id"].as_str().unwrap());
    let waits = world.get(&path).await.json();
    assert_eq!(
        (&waits["state"], &waits["behind"]),
        (&json!("queued"), &json!(null))
    );
}

#[tokio::test]
async fn a_scope_at_its_bound_is_taken_and_one_above_it_is_not() {
    let world = World::new().await;
    world.sensor("berlin-1").await;
    world.registry("gl", "https://h", "berlin-1").await;
    let ask = async |count: usize| {
        let names: Vec<_> = (0..count).map(|n| format!("r{n}")).collect();
        world
            .post("/api/v1/registries/gl/runs", json!({"repositories": names}))
            .await
    };
    assert_eq!(
        ask(limits::RUN_SCOPE_REPOSITORIES).await.status,
        StatusCode::CREATED
    );
    assert_eq!(
        ask(limits::RUN_SCOPE_REPOSITORIES + 1).await.refusal(),
        (422, "invalid".to_owned())
    );
}

#[tokio::test]
async fn cancelling_tells_the_sensor_and_is_final() {
    let world = World::new().await;
    let shop = Shop::open(&world).await;
    let mut told = world.app.signals.cancels.subscribe();
    let fence = world.leased_run("gl", shop.sensor, shop.epoch).await;
    let path = format!("/api/v1/runs/{}/cancel", fence.attempt.run);
    let cancelled = world.ask(&world.operator, Method::POST, &path, None).await;
    assert_eq!(cancelled.json()["state"], "cancelled");
    let notice = told.recv().await.unwrap();
    assert_eq!((notice.sensor, notice.attempt), (shop.sensor, fence.attempt));
    let again = world.ask(&world.operator, Method::POST, &path, None).await;
    assert_eq!(again.status, StatusCode::OK);
    let ended = format!("/api/v1/runs/{}/cancel", shop.run);
    let refused = world.ask(&world.operator, Method::POST, &ended, None).await;
    assert_eq!(refused.refusal(), (409, "run_ended".to_owned()));
    assert_eq!(refused.json()["details"], json!({"state": "complete"}));
}

#[tokio::test]
async fn progress_and_coverage_are_told_with_reasons() {
    let world = World::new().await;
    let shop = Shop::open(&world).await;
    let fence = world.leased_run("gl", shop.sensor, shop.epoch).await;
    let store = &world.app.store;
    let progress = RunProgress {
        repositories_total: 9,
        repositories_done: 4,
        requests: 77,
        ..RunProgress::default()
    };
    store
        .record_progress(&fence, &progress, world.app.clock.now())
        .await
        .unwrap();
    let path = format!("/api/v1/runs/{}", fence.attempt.run);
    let running = world.get(&path).await.json();
    assert_eq!(
        (&running["state"], &running["ended"]),
        (&json!("leased"), &json!(false))
    );
    assert_eq!(running["sensor"]["name"], "berlin-1");
    assert_eq!(running["progress"]["repositories_done"], 4);
    assert_eq!(running["progress"]["requests"], 77);

    let mut entries = ["acme/closed", "acme/shut"]
        .map(|name| CoverageEntry {
            repository: name.parse().unwrap(),
            outcome: RepositoryOutcome::Denied,
            finding: Some(Finding::new(FindingCode::Denied, "403 for acme")),
        })
        .to_vec();
    entries.push(CoverageEntry {
        repository: "acme/scratch".parse().unwrap(),
        outcome: RepositoryOutcome::Filtered,
        finding: None,
    });
    store
        .report_coverage(&fence, &entries, world.app.clock.now())
        .await
        .unwrap();
    close(&world, &fence, 2, 0).await;
    let ended = world.get(&path).await.json();
    assert_eq!(
        (&ended["state"], &ended["ended"]),
        (&json!("partial"), &json!(true))
    );
    assert_eq!(ended["coverage"]["denied"], 2);
    assert_eq!(ended["coverage"]["discovery"][0]["method"], "catalog");

    let first = world.get(&format!("{path}/coverage?limit=1")).await.json();
    assert_eq!(first["items"][0]["repository"], "acme/closed");
    assert_eq!(first["items"][0]["finding"]["code"], "registry.denied");
    assert_eq!(first["items"][0]["finding"]["cure"], FindingCode::Denied.cure());
    let next = first["next"].as_str().unwrap();
    let second = world
        .get(&format!("{path}/coverage?limit=1&cursor={next}"))
        .await
        .json();
    assert_eq!(
        (&second["items"][0]["repository"], &second["next"]),
        (&json!("acme/shut"), &json!(null))
    );
    assert_eq!(ended["coverage"]["filtered"], 1);
    assert_eq!(ended["coverage"]["filtered_named"], 1);
    let coverage = async |outcome: &str| world.get(&format!("{path}/coverage?outcome={outcome}")).await;
    let left_out = coverage("filtered").await.json();
    assert_eq!(
        left_out["items"],
        json!([{"repository": "acme/scratch", "outcome": "filtered", "finding": null}])
    );
    assert_eq!(
        coverage("denied").await.json()["items"].as_array().unwrap().len(),
        2
    );
    for word in ["listed", "hidden"] {
        let refused = coverage(word).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{word}");
        assert_eq!(refused.json()["details"]["field"], "outcome", "{word}");
    }
}
