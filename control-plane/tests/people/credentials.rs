//! Sealed credentials over the API: what is taken, what is shown, and that nothing can carry a login in clear.

use axum::http::{Method, StatusCode};
use portolan_shared::model::{CredentialFacts, CredentialKind, RegistryFacts, RegistryId, SensorId};
use portolan_shared::process::SystemRng;
use portolan_shared::secret::sealed::SealingKeyPair;
use portolan_store::{RunClosing, StandingChange};
use serde_json::{Value, json};

use crate::credential_scene::{PATH, Scene, URL, pairs};
use crate::desk::Desk;
use crate::shop::closing;
use crate::vault::{PASSWORD, binding, publish, sealed};
use crate::world::{World, note};

#[tokio::test]
async fn a_sealing_key_is_shown_with_the_identity_that_signed_it() {
    let world = World::new().await;
    let sensor = world.sensor("berlin-1").await;
    let path = "/api/v1/sensors/berlin-1/sealing-key";
    assert_eq!(world.get(path).await.refusal(), (404, "not_found".to_owned()));
    publish(&world, sensor).await;
    let key = world.get(path).await.json();
    let fingerprint = &world.get("/api/v1/sensors/berlin-1").await.json()["identity_fingerprint"];
    assert_eq!(&key["identity_fingerprint"], fingerprint);
    assert_eq!(key["sensor_id"], sensor.to_string());

    let approve = StandingChange::Approve {
        until: world.app.clock.now(),
        fingerprint: None,
    };
    let now = world.app.clock.now();
    world
        .app
        .store
        .change_standing(world.tenant, sensor, approve, now, &note(now))
        .await
        .unwrap();
    assert_eq!(
        world.get(path).await.refusal(),
        (404, "not_found".to_owned()),
        "of an earlier generation"
    );
}

#[tokio::test]
async fn a_credential_is_stored_and_its_content_is_never_shown() {
    let scene = Scene::new().await;
    assert_eq!(
        scene.world.get(PATH).await.refusal(),
        (404, "not_found".to_owned())
    );
    let shown = scene.put_version(1).await;
    assert_eq!(shown["kind"], "sealed");
    assert_eq!(
        (&shown["version"], &shown["next_version"]),
        (&json!(1), &json!(2))
    );
    assert_eq!(
        (&shown["state"], &shown["created_by"]),
        (&json!("awaiting_trial"), &json!("operator"))
    );
    assert_eq!(shown["realm_hosts"], json!(["auth.example.com:443"]));
    assert_eq!(scene.recipients().await, pairs(&[("berlin-1", "sealed")]));
    scene.run_well().await;
    let shown = scene.shown().await;
    assert_eq!(shown["state"], "ready");
    assert!(shown["worked_at"].is_string() && shown["last_used_at"].is_string());
    let listed = scene.world.get("/api/v1/credentials").await.json();
    assert_eq!(listed["items"], json!([shown]));

    let registry = scene.world.get("/api/v1/registries/gl").await.json();
    let audit = scene.world.get("/api/v1/audit").await.json();
    let body = scene.sealed(1);
    for text in [shown.to_string(), registry.to_string(), audit.to_string()] {
        assert!(!text.contains(PASSWORD));
        let payload = body["payload"].as_str().unwrap();
        assert!(!text.contains(&payload[..64]), "not even what is sealed");
    }
    let actions: Vec<_> = scene.world.done_by_people().await;
    assert_eq!(
        actions
            .iter()
            .filter(|entry| entry["action"] == "credential.create")
            .count(),
        1
    );
}

#[tokio::test]
async fn what_does_not_fit_the_registry_or_the_keys_is_refused_by_name() {
    let scene = Scene::new().await;
    let own = [(scene.sensor, &scene.pair)];
    let invalid = (422, "invalid".to_owned());
    let elsewhere = binding(
        &scene.world,
        scene.registry,
        "https://registry.example.com",
        scene.id,
        1,
    );
    let other_registry = binding(&scene.world, RegistryId::random(&SystemRng), URL, scene.id, 1);
    let in_clear = binding(
        &scene.world,
        scene.registry,
        "http://registry.example.com:5050",
        scene.id,
        1,
    );
    for (binding, named) in [
        (elsewhere, "port"),
        (other_registry, "registry"),
        (in_clear, "scheme"),
    ] {
        let answer = scene.put(sealed(&binding, &own)).await;
        assert_eq!(answer.refusal(), invalid);
        assert!(
            answer.json()["message"].as_str().unwrap().contains(named),
            "{:?}",
            answer.json()
        );
    }
    let mut foreign = scene.binding(1);
    foreign.tenant = portolan_shared::model::TenantId::random(&SystemRng);
    assert_eq!(scene.put(sealed(&foreign, &own)).await.refusal(), invalid);

    let stranger = SealingKeyPair::generate(&SystemRng);
    let unpublished = sealed(&scene.binding(1), &[(scene.sensor, &stranger)]);
    assert_eq!(scene.put(unpublished).await.refusal(), invalid);
    let unknown = sealed(&scene.binding(1), &[(SensorId::random(&SystemRng), &stranger)]);
    assert_eq!(
        scene.put(unknown).await.refusal(),
        (422, "unknown_reference".to_owned())
    );
    let mut twice = scene.sealed(1);
    let wrap = twice["wraps"][0].clone();
    twice["wraps"].as_array_mut().unwrap().push(wrap.clone());
    assert_eq!(scene.put(twice).await.refusal(), invalid);
    let mut many = scene.sealed(1);
    many["wraps"] = json!(vec![wrap; 257]);
    assert_eq!(scene.put(many).await.refusal(), invalid);
    for field in ["binding", "payload"] {
        for broken in ["not base64!", "", "AAAA"] {
            let mut body = scene.sealed(1);
            body[field] = json!(broken);
            let answer = scene.put(body).await;
            assert_eq!(
                (answer.refusal(), &answer.json()["details"]["field"]),
                (invalid.clone(), &json!(field))
            );
        }
    }
    let late = scene.put(scene.sealed(2)).await;
    assert_eq!(late.refusal(), (409, "credential_version".to_owned()));
    assert_eq!(late.json()["details"], json!({"credential": null, "version": 1}));
    assert_eq!(
        scene.world.get(PATH).await.status,
        StatusCode::NOT_FOUND,
        "nothing was stored"
    );
}

#[tokio::test]
async fn no_body_has_room_for_a_login_in_clear() {
    let scene = Scene::new().await;
    let bodies = [
        (Method::PUT, PATH, scene.sealed(1)),
        (
            Method::POST,
            "/api/v1/registries",
            json!({"name": "new", "url": URL, "sensors": ["berlin-1"]}),
        ),
        (Method::PATCH, "/api/v1/registries/gl", json!({})),
        (
            Method::POST,
            "/api/v1/probes",
            json!({"url": URL, "sensors": ["berlin-1"]}),
        ),
        (Method::POST, "/api/v1/registries/gl/probes", json!({})),
        (
            Method::POST,
            "/api/v1/registries/gl/probes",
            json!({"credential": scene.sealed(1)}),
        ),
    ];
    for (method, path, body) in bodies {
        for field in ["password", "username", "secret", "token"] {
            let mut clear = body.clone();
            clear[field] = json!(PASSWORD);
            let answer = scene
                .world
                .ask(&scene.world.operator, method.clone(), path, Some(clear))
                .await;
            assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{path} {field}");
            assert!(!answer.json().to_string().contains(PASSWORD), "{path} {field}");
            if body.get("credential").is_some() {
                let mut inside = body.clone();
                inside["credential"][field] = json!(PASSWORD);
                let answer = scene
                    .world
                    .ask(&scene.world.operator, method.clone(), path, Some(inside))
                    .await;
                assert_eq!(
                    answer.status,
                    StatusCode::UNPROCESSABLE_ENTITY,
                    "{path} credential.{field}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_registry_can_be_added_with_a_credential_that_was_tried_before() {
    let scene = Scene::new().await;
    let world = &scene.world;
    let new = RegistryId::random(&SystemRng);
    let bound = binding(world, new, "https://new.example.com", scene.id, 1);
    let body = sealed(&bound, &[(scene.sensor, &scene.pair)]);
    let probe = json!({
        "url": "https://new.example.com", "sensors": ["berlin-1"], "registry_id": new.to_string(), "credential": body,
    });
    let asked = world
        .ask(
            &world.operator,
            Method::POST,
            "/api/v1/probes",
            Some(probe.clone()),
        )
        .await;
    assert_eq!(asked.status, StatusCode::ACCEPTED, "{:?}", asked.json());
    let mut other = probe;
    other["registry_id"] = json!(RegistryId::random(&SystemRng).to_string());
    let asked = world
        .ask(&world.operator, Method::POST, "/api/v1/probes", Some(other))
        .await;
    assert_eq!(asked.refusal(), (422, "invalid".to_owned()));

    let mut registry = json!({
        "id": new.to_string(), "name": "new", "url": "https://new.example.com", "sensors": ["berlin-1"], "credential": body,
    });
    let added = world.post("/api/v1/registries", registry.clone()).await;
    assert_eq!(added.status, StatusCode::CREATED, "{:?}", added.json());
    assert_eq!(added.json()["id"], new.to_string());
    assert_eq!(
        world.get("/api/v1/registries/new/credential").await.json()["version"],
        1
    );
    registry["name"] = json!("another");
    assert_eq!(
        world.post("/api/v1/registries", registry).await.refusal(),
        (409, "taken".to_owned())
    );
    let both = json!({
        "name": "both", "url": URL, "sensors": ["berlin-1"], "credential": body, "credential_reference": "env:X",
    });
    assert_eq!(
        world.post("/api/v1/registries", both).await.refusal(),
        (422, "invalid".to_owned())
    );
}

#[tokio::test]
async fn an_end_that_a_sensor_saw_is_shown_until_there_is_another_version() {
    let scene = Scene::new().await;
    let world = &scene.world;
    scene.put_version(1).await;
    assert_eq!(scene.shown().await["expires_at"], Value::Null);
    let now = world.app.clock.now();
    let end = now + jiff::SignedDuration::from_hours(24 * 30);
    let fence = world
        .leased_run("gl", scene.sensor, world.session(scene.sensor).await)
        .await;
    let facts = RegistryFacts {
        credential: Some(CredentialFacts {
            expires_at: Some(end),
            ..CredentialFacts::of_kind(CredentialKind::ProjectAccessToken)
        }),
        ..RegistryFacts::default()
    };
    let closing = RunClosing {
        facts,
        ..closing(0, 0)
    };
    world.app.store.close_run(&fence, &closing, now).await.unwrap();
    assert_eq!(scene.shown().await["expires_at"], json!(end));
    let listed = Desk::open(world).await.say("credential list").await;
    assert!(listed.out.contains("30 days left"), "{}", listed.out);
    world.clock.advance(std::time::Duration::from_secs(1));
    scene.put_version(2).await;
    assert_eq!(
        scene.shown().await["expires_at"],
        Value::Null,
        "it was the other one's"
    );
}

#[tokio::test]
async fn a_reference_is_shown_with_the_sensors_that_have_it() {
    let scene = Scene::new().await;
    scene.patch(json!({"credential_reference": "env:GITLAB"})).await;
    assert_eq!(scene.recipients().await, pairs(&[("berlin-1", "local")]));
    let listed = Desk::open(&scene.world).await.say("credential list").await;
    let row: Vec<_> = listed.out.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(row[..5], ["gl", "reference", "env:GITLAB", "berlin-1", "ready"]);
    assert_eq!(listed.err, "");
}
