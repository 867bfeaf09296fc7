//! What becomes of a sealed credential: the next version, sensors that come and go, its end.

use axum::http::{Method, StatusCode};
use portolan_store::StandingChange;
use serde_json::{Value, json};

use crate::credential_scene::{PATH, Scene, pairs};
use crate::vault::{publish, sealed};
use crate::world::note;

#[tokio::test]
async fn one_can_go_back_to_the_version_before_until_the_next_has_worked() {
    let scene = Scene::new().await;
    let revert = || async {
        let path = format!("{PATH}/revert");
        scene
            .world
            .ask(&scene.world.operator, Method::POST, &path, None)
            .await
    };
    let refused = (409, "no_former_credential".to_owned());
    assert_eq!(revert().await.status, StatusCode::NOT_FOUND);
    scene.put_version(1).await;
    assert_eq!(revert().await.refusal(), refused);
    scene.run_well().await;
    let second = scene.put_version(2).await;
    assert_eq!(
        (&second["former_version"], &second["state"]),
        (&json!(1), &json!("awaiting_trial"))
    );
    let mut changes = scene.world.app.signals.credentials.subscribe();
    let back = revert().await.json();
    assert_eq!(
        (&back["version"], &back["former_version"], &back["next_version"]),
        (&json!(1), &Value::Null, &json!(3))
    );
    assert_eq!(
        changes.len(),
        2,
        "sensors forget the one, and whoever reads the registry gets the other"
    );
    assert!(changes.recv().await.is_ok());
    assert_eq!(
        scene.put(scene.sealed(2)).await.refusal(),
        (409, "credential_version".to_owned())
    );
    scene.put_version(3).await;
    scene.run_well().await;
    assert_eq!(scene.shown().await["former_version"], Value::Null);
    assert_eq!(revert().await.refusal(), refused);
}

#[tokio::test]
async fn sensors_that_come_go_or_were_copied_are_shown_with_what_to_do() {
    let scene = Scene::new().await;
    let world = &scene.world;
    scene.put_version(1).await;
    let munich = world.sensor("munich").await;
    let theirs = publish(world, munich).await;
    scene.patch(json!({"sensors": ["berlin-1", "munich"]})).await;
    assert_eq!(scene.shown().await["state"], "awaiting_sealing");
    assert_eq!(
        scene.recipients().await,
        pairs(&[("berlin-1", "sealed"), ("munich", "awaiting_sealing")])
    );
    let both = [(scene.sensor, &scene.pair), (munich, &theirs)];
    assert_eq!(
        scene.put(sealed(&scene.binding(2), &both)).await.status,
        StatusCode::OK
    );
    assert_eq!(
        scene.recipients().await,
        pairs(&[("berlin-1", "sealed"), ("munich", "sealed")])
    );

    publish(world, munich).await;
    assert_eq!(scene.recipients().await[1].1, "outdated_key");
    assert_eq!(scene.told("credential.revoke").await, Vec::<Value>::new());
    let mut notices = world.app.signals.credentials.subscribe();
    scene.patch(json!({"sensors": ["berlin-1"]})).await;
    assert_eq!(
        scene.recipients().await,
        pairs(&[("berlin-1", "sealed"), ("munich", "rotate_at_registry")])
    );
    assert!(
        format!("{:?}", notices.recv().await.unwrap()).contains(&munich.to_string()),
        "it is told to forget it"
    );
    let both = [scene.sensor, munich].map(|sensor| sensor.to_string());
    assert_eq!(
        scene.told("registry.change").await[0]["sensors"],
        json!({"before": both, "after": [scene.sensor.to_string()]})
    );
    let revoked = scene.told("credential.revoke").await;
    assert_eq!(revoked.len(), 1, "only by the change that took it away");
    assert_eq!(revoked[0]["sensors"], json!([munich.to_string()]));
    assert_eq!(revoked[0]["credential"], scene.shown().await["id"]);

    let now = world.app.clock.now();
    let approve = StandingChange::Approve {
        until: now,
        fingerprint: None,
    };
    world
        .app
        .store
        .change_standing(world.tenant, scene.sensor, approve, now, &note(now))
        .await
        .unwrap();
    assert_eq!(
        scene.recipients().await[0].1,
        "rotate_at_registry",
        "a copy of it may know the login"
    );
    assert_eq!(scene.shown().await["state"], "awaiting_sealing");
    scene.patch(json!({"url": "https://moved.example.com"})).await;
    assert_eq!(scene.shown().await["state"], "enter_again");
}

#[tokio::test]
async fn a_registry_has_one_credential_and_loses_it_whole() {
    let scene = Scene::new().await;
    let world = &scene.world;
    let remove = || async { world.ask(&world.operator, Method::DELETE, PATH, None).await };
    assert_eq!(remove().await.refusal(), (404, "not_found".to_owned()));
    scene.patch(json!({"credential_reference": "env:GITLAB"})).await;
    let shown = scene.shown().await;
    assert_eq!(
        (&shown["kind"], &shown["reference"], &shown["state"]),
        (&json!("reference"), &json!("env:GITLAB"), &json!("ready"))
    );
    scene.put_version(1).await;
    assert_eq!(
        world.get("/api/v1/registries/gl").await.json()["credential_reference"],
        Value::Null
    );
    scene.patch(json!({"credential_reference": "env:GITLAB"})).await;
    assert_eq!(scene.shown().await["kind"], "reference");
    let removed = scene.told("credential.remove").await;
    assert_eq!(removed.len(), 1, "the reference took the place of the sealed one");
    assert_eq!(removed[0]["sensors"], json!([scene.sensor.to_string()]));
    assert_eq!(remove().await.status, StatusCode::NO_CONTENT);
    let again = scene.put(scene.sealed(1)).await;
    assert_eq!(again.refusal(), (409, "taken".to_owned()), "its id is used up");
}

#[tokio::test]
async fn a_probe_goes_to_who_can_open_the_credential_and_waits_for_nobody_else() {
    let scene = Scene::new().await;
    let world = &scene.world;
    world.sensor("munich").await;
    scene.put_version(1).await;
    scene.patch(json!({"sensors": ["munich", "berlin-1"]})).await;
    let path = "/api/v1/registries/gl/probes";
    let asked = world.post(path, json!({})).await.json();
    assert_eq!(
        asked["sensors"],
        json!([{"id": scene.sensor.to_string(), "name": "berlin-1"}])
    );
    let refused = world.post(path, json!({"sensor": "munich"})).await;
    assert_eq!(refused.refusal(), (409, "awaiting_sealing".to_owned()));
    assert_eq!(
        refused.json()["details"],
        json!({"registry": "gl", "sensors": ["munich"]})
    );
    scene.patch(json!({"sensors": ["munich"]})).await;
    let queued = world.post("/api/v1/registries/gl/runs", json!({})).await.json();
    let run = format!("/api/v1/runs/{}", queued["run"]["id"].as_str().unwrap());
    let finding = &world.get(&run).await.json()["finding"];
    assert_eq!(finding["code"], "credential.awaits_sealing");
    assert_eq!(finding["seen"], "awaiting sealing for munich");
    scene.patch(json!({"sensors": ["munich", "berlin-1"]})).await;
    assert_eq!(
        world.get(&run).await.json()["finding"],
        Value::Null,
        "one of them can"
    );
    let tried = world.post(path, json!({"credential": scene.sealed(2)})).await;
    assert_eq!(tried.status, StatusCode::ACCEPTED, "{:?}", tried.json());
    assert_eq!(scene.shown().await["version"], 1, "a trial stores nothing");
}
