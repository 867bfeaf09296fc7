//! What people do to webhooks, over the API.

use axum::http::Method;
use portolan_shared::model::limits;
use serde_json::{Value, json};

use crate::webhook_endpoint::Scene;
use crate::world::World;

const HOOKS: &str = "/api/v1/webhooks";

async fn scene() -> World {
    let world = World::new().await;
    world.sensor("berlin-1").await;
    world
        .registry("gl", "https://registry.example.com", "berlin-1")
        .await;
    let body = json!({"name": "deployer", "url": "https://hooks.example.com/services/hunter2?k=hunter2", "registry": "gl"});
    let added = world.ask(&world.operator, Method::POST, HOOKS, Some(body)).await;
    assert_eq!(added.status, 201, "{:?}", added.json());
    world
}

#[tokio::test]
async fn secrets_are_shown_where_they_are_asked_for_and_nowhere_else() {
    let world = scene().await;
    for path in [
        HOOKS,
        "/api/v1/webhooks/deployer",
        "/api/v1/webhooks/deployer/deliveries",
        "/api/v1/audit",
    ] {
        let said = world.get(path).await;
        assert_eq!(said.status, 200, "{path}");
        let text = String::from_utf8(said.bytes).unwrap();
        assert!(!text.contains("hunter2") && !text.contains("whsec_"), "{text}");
    }
    let shown = world.get("/api/v1/webhooks/deployer").await.json();
    assert_eq!(shown["url"], "https://hooks.example.com/…");
    assert_eq!(
        (&shown["registry"], &shown["state"], &shown["created_by"]),
        (&json!("gl"), &json!("active"), &json!("token:operator"))
    );
    let keys = "/api/v1/webhooks/deployer/signing-keys";
    assert_eq!(world.get(keys).await.refusal(), (403, "forbidden".to_owned()));
    let shown = world.ask(&world.operator, Method::GET, keys, None).await.json();
    assert_eq!(
        shown["whole_url"],
        "https://hooks.example.com/services/hunter2?k=hunter2"
    );
    let key = shown["signing_key"].as_str().unwrap();
    assert!(key.starts_with("whsec_") && shown["previous_signing_key"].is_null());
    let rotated = world
        .post("/api/v1/webhooks/deployer/rotate", json!({}))
        .await
        .json();
    assert_eq!(rotated["previous_signing_key"], key);
    assert_ne!(rotated["signing_key"], key);
    assert_eq!(rotated["previous_until"], "2027-01-16T08:00:00Z");
}

#[tokio::test]
async fn what_is_no_endpoint_is_refused_and_its_secrets_are_not_repeated() {
    let world = scene().await;
    for (name, url, field) in [
        ("x", "https://hunter2:x@h.example.com/", "url"),
        ("x", "ftp://h/hunter2", "url"),
        ("x", "https://h/#hunter2", "url"),
        ("X Y", "https://h/hunter2", "name"),
    ] {
        let refused = world.post(HOOKS, json!({"name": name, "url": url})).await;
        assert_eq!(
            (refused.status.as_u16(), &refused.json()["details"]["field"]),
            (422, &json!(field)),
            "{url}"
        );
        assert!(
            !String::from_utf8(refused.bytes).unwrap().contains("hunter2"),
            "{url}"
        );
    }
    let body = |name: &str, registry: &str| json!({"name": name, "url": "https://h/", "registry": registry});
    let unknown = world.post(HOOKS, body("x", "none")).await;
    assert_eq!(unknown.refusal(), (422, "unknown_reference".to_owned()));
    let taken = world.post(HOOKS, body("deployer", "gl")).await;
    assert_eq!(taken.refusal(), (409, "taken".to_owned()));
    for number in 1..limits::WEBHOOKS_PER_TENANT {
        let added = world.post(HOOKS, body(&format!("w{number}"), "gl")).await;
        assert_eq!(added.status, 201);
    }
    assert_eq!(
        world.post(HOOKS, body("more", "gl")).await.refusal(),
        (422, "invalid".to_owned())
    );
}

#[tokio::test]
async fn endpoints_inside_are_refused_when_they_are_added_and_when_they_are_changed() {
    // The exception of this server is loopback.
    let scene = Scene::new().await;
    scene.add("fine", "http://127.0.0.1:9/").await;
    for url in [
        "https://10.0.0.1/",
        "https://[::ffff:169.254.169.254]/",
        "https://2852039166/",
        "http://hooks.example.com:9@10.0.0.1/",
    ] {
        let added = scene.world.post(HOOKS, json!({"name": "x", "url": url})).await;
        assert_eq!(added.refusal(), (422, "invalid".to_owned()), "{url}");
        let change = Some(json!({"url": url}));
        let changed = scene
            .world
            .ask(
                &scene.world.operator,
                Method::PATCH,
                "/api/v1/webhooks/fine",
                change,
            )
            .await;
        assert_eq!(changed.refusal(), (422, "invalid".to_owned()), "{url}");
    }
}

#[tokio::test]
async fn everything_that_is_done_stands_in_the_audit_log() {
    let world = scene().await;
    let act = async |method: Method, path: &str, body: Option<Value>| {
        let done = world
            .ask(&world.operator, method, &format!("{HOOKS}/deployer{path}"), body)
            .await;
        assert!(done.status.is_success(), "{path}");
        done
    };
    act(
        Method::PATCH,
        "",
        Some(json!({"url": "https://other.example.com/hunter2", "registry": null})),
    )
    .await;
    act(Method::POST, "/pause", None).await;
    act(Method::POST, "/pause", None).await;
    act(Method::POST, "/resume", None).await;
    act(Method::POST, "/resume", None).await;
    act(Method::POST, "/rotate", None).await;
    act(Method::POST, "/resume?skip=true", None).await;
    act(Method::POST, "/test", None).await;
    act(Method::GET, "/signing-keys", None).await;
    act(Method::DELETE, "", None).await;
    let done = world.done_by_people().await;
    let of_webhooks: Vec<_> = done
        .iter()
        .rev()
        .filter_map(|entry| entry["action"].as_str()?.strip_prefix("webhook."))
        .collect();
    assert_eq!(
        of_webhooks,
        [
            "add",
            "change",
            "pause",
            "resume",
            "rotate",
            "resume",
            "test",
            "show_keys",
            "remove"
        ]
    );
    let changed = done
        .iter()
        .find(|entry| entry["action"] == "webhook.change")
        .unwrap();
    assert_eq!(changed["details"]["fields"], json!(["url", "registry"]));
    assert_eq!(changed["details"]["url"], "https://other.example.com/…");
    let tested = done
        .iter()
        .find(|entry| entry["action"] == "webhook.test")
        .unwrap();
    assert_eq!(
        (&tested["actor"], &tested["details"]["failure"]),
        (&json!("token:operator"), &json!("connect"))
    );
    assert_eq!(world.get("/api/v1/webhooks/deployer").await.status, 404);
}
