//! Messages on their way to endpoints that take them, sooner or later.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::http::Method;
use portolan::app::App;
use portolan::outgoing::HttpCourierParts;
use portolan_shared::events::{WebhookSecret, sign_standard};
use serde_json::{Value, json};

use crate::webhook_endpoint::{Deliverer, Endpoint, Heard, Manner, Scene, courier, until};
use crate::world::app_over;

#[tokio::test]
async fn changes_arrive_signed_in_order_and_together() {
    let scene = Scene::new().await;
    let endpoint = Endpoint::open(Manner::Answers(Vec::new())).await;
    let key: WebhookSecret = scene.add("deployer", &endpoint.url()).await.parse().unwrap();
    scene.happen("acme/one", &["1", "2"]).await;
    scene.happen("acme/two", &["1"]).await;
    let _deliverer = scene.deliver();
    scene.wake();
    let heard = endpoint.has_heard(1).await.remove(0);
    assert_eq!(
        heard.subjects(),
        ["gl/acme/one:1", "gl/acme/one:2", "gl/acme/two:1"]
    );
    let header = |name: &str| heard.headers[name].clone();
    assert_eq!(heard.path, "/hunter2");
    assert_eq!(header("content-type"), "application/cloudevents-batch+json");
    let now = scene.world.app.clock.now();
    assert_eq!(header("webhook-timestamp"), now.as_second().to_string());
    assert_eq!(
        header("webhook-signature"),
        sign_standard(&key, &header("webhook-id"), now, &heard.body)
    );
    until(async || scene.webhook("deployer").await["behind"] == 0).await;
    let delivered = scene.deliveries("deployer").await;
    assert_eq!(delivered.len(), 1);
    assert_eq!(
        (
            &delivered[0]["status"],
            &delivered[0]["changes"],
            &delivered[0]["message"],
            &delivered[0]["failure"]
        ),
        (&json!(204), &json!(3), &json!(header("webhook-id")), &Value::Null)
    );
    // What is in other registries is not for whoever is told of one.
    scene.happen("acme/three", &["1"]).await;
    assert_eq!(endpoint.has_heard(2).await[1].subjects(), ["gl/acme/three:1"]);
}

#[tokio::test]
async fn an_endpoint_is_told_of_the_registry_that_it_asked_for() {
    let scene = Scene::new().await;
    scene
        .world
        .registry("other", "https://other.example.com", "berlin-1")
        .await;
    let endpoint = Endpoint::open(Manner::Answers(Vec::new())).await;
    let body = json!({"name": "other", "url": endpoint.url(), "registry": "other"});
    assert_eq!(scene.world.post("/api/v1/webhooks", body).await.status, 201);
    let _deliverer = scene.deliver();
    scene.happen("acme/one", &["1"]).await;
    until(async || scene.webhook("other").await["behind"] == 0).await;
    assert!(endpoint.heard().is_empty());
    scene
        .world
        .ask(
            &scene.world.admin,
            Method::DELETE,
            "/api/v1/registries/other",
            None,
        )
        .await;
    scene.wake();
    let heard = endpoint.has_heard(1).await.remove(0);
    let events: Vec<Value> = serde_json::from_slice(&heard.body).unwrap();
    assert_eq!(events[0]["type"], "io.portolan.registry.removed");
}

#[tokio::test]
async fn every_attempt_has_the_same_bytes_whichever_process_makes_it_and_nothing_is_left_out() {
    let scene = Scene::new().await;
    let endpoint = Endpoint::open(Manner::Answers(vec![
        "500 Internal Server Error\r\n",
        "429 Too Many Requests\r\nRetry-After: 30\r\n",
    ]))
    .await;
    scene.add("deployer", &endpoint.url()).await;
    let deliverer = scene.deliver();
    scene.happen("acme/one", &["1"]).await;
    until(async || scene.webhook("deployer").await["attempts"] == 1).await;
    scene.happen("acme/two", &["1"]).await;
    scene.later(6);
    until(async || scene.webhook("deployer").await["attempts"] == 2).await;
    deliverer.cut().await;
    // Between two processes, what the message tells of gets another name.
    let rename = Some(json!({"name": "gitlab"}));
    let patch = Method::PATCH;
    let renamed = scene
        .world
        .ask(&scene.world.admin, patch, "/api/v1/registries/gl", rename)
        .await;
    assert_eq!(renamed.status, 200);
    let next = Arc::new(App {
        courier: Arc::new(courier(None, HttpCourierParts::PATIENCE)),
        ..app_over(
            Arc::clone(&scene.world.app.store),
            Arc::clone(&scene.world.clock),
            2,
        )
    });
    let deliverer = Deliverer::start(&next);
    scene.later(29);
    next.signals.changes.send_modify(|count| *count += 1);
    assert_eq!(
        scene.deliveries("deployer").await.len(),
        2,
        "it asked for more patience"
    );
    scene.later(1);
    next.signals.changes.send_modify(|count| *count += 1);
    let heard = endpoint.has_heard(4).await;
    assert_eq!(heard[0].subjects(), ["gl/acme/one:1"]);
    for again in &heard[1..3] {
        assert_eq!(again.body, heard[0].body);
        assert_eq!(again.headers["webhook-id"], heard[0].headers["webhook-id"]);
    }
    assert_ne!(
        heard[2].headers["webhook-timestamp"],
        heard[0].headers["webhook-timestamp"]
    );
    assert_eq!(heard[3].subjects(), ["gitlab/acme/two:1"]);
    assert_ne!(heard[3].headers["webhook-id"], heard[0].headers["webhook-id"]);
    until(async || scene.webhook("deployer").await["behind"] == 0).await;
    deliverer.cut().await;
}

#[tokio::test]
async fn what_a_process_had_under_way_is_free_at_once_when_it_is_cut() {
    let scene = Scene::new().await;
    let endpoint = Endpoint::open(Manner::Silent).await;
    scene.add("deployer", &endpoint.url()).await;
    let first = scene.deliver();
    scene.happen("acme/one", &["1"]).await;
    endpoint.has_heard(1).await;
    first.cut().await;
    let second = scene.deliver();
    scene.wake();
    let heard = endpoint.has_heard(2).await;
    assert_eq!(heard[0].headers["webhook-id"], heard[1].headers["webhook-id"]);
    assert_eq!(
        scene.webhook("deployer").await["attempts"],
        0,
        "what was cut was no attempt"
    );
    second.cut().await;
}

#[tokio::test]
async fn of_two_control_planes_one_delivers() {
    let scene = Scene::new().await;
    let endpoints = [
        Endpoint::open(Manner::Answers(Vec::new())).await,
        Endpoint::open(Manner::Answers(vec!["503 Unavailable\r\n"; 3])).await,
    ];
    for (number, endpoint) in endpoints.iter().enumerate() {
        scene.add(&format!("w{number}"), &endpoint.url()).await;
    }
    let other = Arc::new(App {
        courier: Arc::new(courier(None, HttpCourierParts::PATIENCE)),
        ..app_over(
            Arc::clone(&scene.world.app.store),
            Arc::clone(&scene.world.clock),
            2,
        )
    });
    let (one, two) = (scene.deliver(), Deliverer::start(&other));
    let tags: Vec<String> = (0..40).map(|number| format!("t{number:02}")).collect();
    let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
    for number in 0..8 {
        scene.happen(&format!("acme/r{number}"), &tags).await;
        other.signals.changes.send_modify(|count| *count += 1);
    }
    until(async || {
        // Time goes by only while nothing is on its way: a hold is for a minute.
        let next = scene.webhook("w1").await["next_try_at"]
            .as_str()
            .map(str::to_owned);
        if let Some(next) = next.and_then(|next| next.parse::<jiff::Timestamp>().ok()) {
            let left = next.duration_since(scene.world.app.clock.now());
            scene.later(u64::try_from(left.as_secs() + 1).unwrap_or(0));
        }
        other.signals.changes.send_modify(|count| *count += 1);
        scene.webhook("w0").await["behind"] == 0 && scene.webhook("w1").await["behind"] == 0
    })
    .await;
    one.cut().await;
    two.cut().await;
    for (endpoint, refused) in endpoints.iter().zip([0, 3]) {
        let heard = endpoint.heard();
        let taken = &heard[refused..];
        let subjects: Vec<String> = taken.iter().flat_map(Heard::subjects).collect();
        assert_eq!(subjects.len(), 8 * 40, "each once");
        let mut sorted = subjects.clone();
        sorted.sort();
        assert_eq!(subjects, sorted, "in order");
        let ids: BTreeSet<_> = taken.iter().map(|heard| &heard.headers["webhook-id"]).collect();
        assert_eq!(ids.len(), taken.len());
    }
}

#[tokio::test]
async fn a_pause_leaves_no_gap_and_a_rotation_signs_twice() {
    let scene = Scene::new().await;
    let endpoint = Endpoint::open(Manner::Answers(Vec::new())).await;
    let old: WebhookSecret = scene.add("deployer", &endpoint.url()).await.parse().unwrap();
    let _deliverer = scene.deliver();
    scene.act("deployer", "pause").await;
    scene.happen("acme/one", &["1"]).await;
    scene.happen("acme/two", &["1"]).await;
    let paused = scene.webhook("deployer").await;
    assert_eq!(
        (&paused["state"], &paused["behind"]),
        (&json!("paused"), &json!(2))
    );
    let rotated = scene.act("deployer", "rotate").await;
    let new: WebhookSecret = rotated["signing_key"].as_str().unwrap().parse().unwrap();
    assert!(endpoint.heard().is_empty());
    scene.act("deployer", "resume").await;
    let heard = endpoint.has_heard(1).await.remove(0);
    assert_eq!(heard.subjects(), ["gl/acme/one:1", "gl/acme/two:1"]);
    let (id, now) = (&heard.headers["webhook-id"], scene.world.app.clock.now());
    let each = |key| sign_standard(key, id, now, &heard.body);
    assert_eq!(
        heard.headers["webhook-signature"],
        format!("{} {}", each(&new), each(&old))
    );
    scene.later(24 * 60 * 60);
    scene.happen("acme/three", &["1"]).await;
    let heard = endpoint.has_heard(2).await.remove(1);
    assert_eq!(heard.headers["webhook-signature"].split(' ').count(), 1);
    // Going on from now leaves out what was missed, as it says.
    scene.act("deployer", "pause").await;
    scene.happen("acme/four", &["1"]).await;
    scene.act("deployer", "resume?skip=true").await;
    scene.happen("acme/five", &["1"]).await;
    assert_eq!(endpoint.has_heard(3).await[2].subjects(), ["gl/acme/five:1"]);
}
