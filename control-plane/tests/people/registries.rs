//! Registries.

use axum::http::{Method, StatusCode};
use portolan_shared::model::RunState;
use serde_json::{Value, json};

use crate::shop::Shop;
use crate::world::World;

fn authority() -> String {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut parameters = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    parameters.self_signed(&key).unwrap().pem()
}

#[tokio::test]
async fn a_registry_is_added_shown_changed_and_removed() {
    let world = World::new().await;
    let first = world.sensor("berlin-1").await;
    world.sensor("berlin-2").await;
    let pem = authority();
    let body = json!({
        "name": "gl", "url": "registry.example.com:5050/v2/", "sensors": ["berlin-1"],
        "ca_bundle_pem": pem, "only_ca_bundle": true, "repositories": ["acme/**"],
        "credential_reference": "file:/etc/portolan/gitlab",
    });
    let added = world
        .ask(&world.operator, Method::POST, "/api/v1/registries", Some(body))
        .await;
    assert_eq!(added.status, StatusCode::CREATED, "{:?}", added.json());
    let shown = world.get("/api/v1/registries/gl").await.json();
    assert_eq!(shown, added.json());
    let listed = world.get("/api/v1/registries").await.json();
    assert_eq!(
        (
            &listed["items"][0]["ca_certificates"],
            &listed["items"][0]["ca_bundle_pem"]
        ),
        (&json!(1), &Value::Null)
    );
    assert_eq!(shown["url"], "https://registry.example.com:5050");
    assert_eq!(
        shown["sensors"],
        json!([{"id": first.to_string(), "name": "berlin-1"}])
    );
    assert_eq!(shown["credential_reference"], "file:/etc/portolan/gitlab");
    assert_eq!(
        (&shown["concurrency"], &shown["last_success_at"]),
        (&json!(16), &Value::Null)
    );

    let patch = json!({
        "name": "gitlab", "sensors": ["berlin-2", "berlin-1"], "credential_reference": null, "repositories": [],
        "ca_bundle_pem": null, "only_ca_bundle": false,
    });
    let changed = world
        .ask(
            &world.operator,
            Method::PATCH,
            "/api/v1/registries/gl",
            Some(patch),
        )
        .await;
    assert_eq!(changed.status, StatusCode::OK, "{:?}", changed.json());
    let changed = changed.json();
    assert_eq!(changed["sensors"][0]["name"], "berlin-2");
    assert_eq!(changed["credential_reference"], Value::Null);
    assert_eq!(
        (&shown["ca_bundle_pem"], &shown["ca_certificates"]),
        (&json!(pem), &json!(1))
    );
    assert_eq!(
        (&changed["ca_bundle_pem"], &changed["ca_certificates"]),
        (&Value::Null, &json!(0))
    );
    assert_eq!(changed["url"], shown["url"], "what is not named stays");
    assert!(changed["version"].as_u64() > shown["version"].as_u64());

    let removed = world
        .ask(&world.operator, Method::DELETE, "/api/v1/registries/gitlab", None)
        .await;
    assert_eq!(removed.status, StatusCode::NO_CONTENT);
    assert_eq!(
        world.get("/api/v1/registries/gitlab").await.status,
        StatusCode::NOT_FOUND
    );
    let audit = world.done_by_people().await;
    let actions: Vec<_> = audit.iter().map(|entry| entry["action"].clone()).collect();
    assert_eq!(actions, ["registry.remove", "registry.change", "registry.add"]);
    let fields = audit[1]["details"]["fields"].clone();
    assert_eq!(
        fields,
        json!(["name", "ca", "repositories", "credential_reference", "sensors"])
    );
}

#[tokio::test]
async fn what_cannot_work_is_refused_where_the_operator_sees_it() {
    let world = World::new().await;
    world.sensor("berlin-1").await;
    world.registry("taken", "https://h", "berlin-1").await;
    let good = json!({"name": "gl", "url": "https://h", "sensors": ["berlin-1"]});
    let cases = [
        ("name", json!("GL"), 422, "invalid"),
        ("name", json!("taken"), 409, "taken"),
        ("url", json!("https://user:hunter2@h"), 422, "invalid"),
        ("url", json!("ftp://h"), 422, "invalid"),
        ("sensors", json!([]), 422, "invalid"),
        ("sensors", json!(["nobody"]), 422, "unknown_reference"),
        ("sensors", json!(["berlin-1", "berlin-1"]), 422, "invalid"),
        ("ca_bundle_pem", json!("no certificate"), 422, "invalid"),
        ("only_ca_bundle", json!(true), 422, "invalid"),
        ("repositories", json!(["a["]), 422, "invalid"),
        ("credential_reference", json!("reader:hunter2"), 422, "invalid"),
        ("concurrency", json!(0), 422, "invalid"),
        ("concurrency", json!(65), 422, "invalid"),
    ];
    for (member, value, status, code) in cases {
        let mut body = good.clone();
        body[member] = value.clone();
        let answer = world.post("/api/v1/registries", body).await;
        assert_eq!(
            answer.refusal(),
            (status, code.to_owned()),
            "{member} {value}: {:?}",
            answer.json()
        );
        assert!(
            !answer.json()["message"].as_str().unwrap().contains("hunter2"),
            "{member} {value}"
        );
    }
    assert_eq!(
        world.post("/api/v1/registries", good).await.status,
        StatusCode::CREATED
    );
}

#[tokio::test]
async fn a_revoked_sensor_cannot_be_assigned() {
    let world = World::new().await;
    world.sensor("berlin-1").await;
    world
        .ask(
            &world.admin,
            Method::POST,
            "/api/v1/sensors/berlin-1/revoke",
            None,
        )
        .await;
    let body = json!({"name": "gl", "url": "https://h", "sensors": ["berlin-1"]});
    let answer = world.post("/api/v1/registries", body).await;
    assert_eq!(answer.refusal(), (422, "unknown_reference".to_owned()));
}

#[tokio::test]
async fn last_attempt_and_last_success_are_different_facts() {
    let world = World::new().await;
    let shop = Shop::open(&world).await;
    let before = world.get("/api/v1/registries/gl").await.json();
    assert!(before["last_success_at"].is_string());
    world.clock.advance(std::time::Duration::from_secs(3_600));
    let fence = world.leased_run("gl", shop.sensor, shop.epoch).await;
    let path = format!("/api/v1/runs/{}/cancel", fence.attempt.run);
    let cancelled = world.ask(&world.operator, Method::POST, &path, None).await;
    assert_eq!(cancelled.json()["state"], RunState::Cancelled.as_str());
    let after = world.get("/api/v1/registries/gl").await.json();
    assert_eq!(after["last_success_at"], before["last_success_at"]);
    assert_ne!(after["last_attempt_at"], before["last_attempt_at"]);
}
