//! Endpoints that take nothing, in every way.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::http::Method;
use portolan::outgoing::HttpCourierParts;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::webhook_endpoint::{Endpoint, Loopback, Manner, Scene, courier, courier_by, until};

/// Shorter than anybody waits, longer than a connection to loopback takes.
const SHORT: Duration = Duration::from_millis(300);

#[tokio::test]
async fn endpoints_that_are_dead_or_slow_keep_no_other_waiting() {
    let scene = Scene::new().await;
    let (silent, drips, endless, good) = (
        Endpoint::open(Manner::Silent).await,
        Endpoint::open(Manner::Drips).await,
        Endpoint::open(Manner::Endless).await,
        Endpoint::open(Manner::Answers(Vec::new())).await,
    );
    // By name and time of adding, the good one comes last.
    for (name, endpoint) in [("a", &silent), ("b", &drips), ("c", &endless), ("d", &good)] {
        scene.add(name, &endpoint.url()).await;
    }
    let deliverer = scene.deliver();
    for number in 0..3 {
        scene.happen(&format!("acme/r{number}"), &["1"]).await;
        let known = good.heard().len();
        good.has_heard(known + 1).await;
        until(async || scene.webhook("d").await["behind"] == 0).await;
    }
    assert_eq!(
        (silent.heard().len(), drips.heard().len()),
        (1, 1),
        "these are at their first still"
    );
    for name in ["a", "b"] {
        assert_eq!(scene.webhook(name).await["attempts"], 0, "{name}");
    }
    // A body without an end is not waited for, and not taken in.
    until(async || scene.webhook("c").await["behind"] == 0).await;
    until(async || endless.closed.load(Ordering::SeqCst) == endless.heard().len()).await;
    deliverer.cut().await;
}

#[tokio::test]
async fn an_endpoint_that_does_not_answer_in_time_is_given_up_for_now() {
    let scene = Scene::with(courier(None, SHORT)).await;
    let (silent, drips) = (
        Endpoint::open(Manner::Silent).await,
        Endpoint::open(Manner::Drips).await,
    );
    scene.add("silent", &silent.url()).await;
    scene.add("drips", &drips.url()).await;
    let _deliverer = scene.deliver();
    scene.happen("acme/one", &["1"]).await;
    for (name, endpoint) in [("silent", silent), ("drips", drips)] {
        until(async || !scene.deliveries(name).await.is_empty()).await;
        let delivery = scene.deliveries(name).await.remove(0);
        assert_eq!(
            (&delivery["failure"], &delivery["status"]),
            (&json!("timeout"), &Value::Null),
            "{name}"
        );
        until(async || endpoint.closed.load(Ordering::SeqCst) == 1).await;
    }
}

/// What comes of a test of an endpoint.
async fn tested(scene: &Scene, name: &str, url: &str) -> Value {
    scene.add(name, url).await;
    let tested = scene.act(name, "test").await;
    let logged = scene.deliveries(name).await.remove(0);
    assert_eq!(
        (&logged["test"], &logged["failure"]),
        (&json!(true), &tested["failure"]),
        "{name}"
    );
    assert!(!tested.to_string().contains("hunter2"), "{tested}");
    tested
}

#[tokio::test]
async fn a_test_says_what_came_back() {
    let scene = Scene::with(courier(None, SHORT)).await;
    let good = Endpoint::open(Manner::Answers(vec!["202 Accepted\r\n", "500 Oh\r\n"])).await;
    let came = tested(&scene, "good", &good.url()).await;
    assert_eq!(
        (&came["arrived"], &came["status"], &came["failure"]),
        (&json!(true), &json!(202), &Value::Null)
    );
    let events: Vec<Value> = serde_json::from_slice(&good.heard()[0].body).unwrap();
    assert_eq!(
        (events.len(), &events[0]["type"], &events[0]["subject"]),
        (1, &json!("io.portolan.webhook.test"), &json!("good"))
    );
    let came = scene.act("good", "test").await;
    assert_eq!(
        (&came["arrived"], &came["status"], &came["failure"]),
        (&json!(false), &json!(500), &json!("status"))
    );
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = format!("http://{}/hunter2", free.local_addr().unwrap());
    drop(free);
    assert_eq!(tested(&scene, "nobody", &nobody).await["failure"], "connect");
    let silent = Endpoint::open(Manner::Silent).await;
    assert_eq!(
        tested(&scene, "silent", &silent.url()).await["failure"],
        "timeout"
    );
    let plain = good.url().replace("http://", "https://");
    assert_eq!(tested(&scene, "plain", &plain).await["failure"], "tls");
    // A test of one that is paused goes out, and changes nothing of it.
    scene.act("good", "pause").await;
    assert_eq!(scene.act("good", "test").await["arrived"], true);
    assert_eq!(scene.webhook("good").await["state"], "paused");
}

#[tokio::test]
async fn a_redirect_leads_nowhere() {
    let scene = Scene::new().await;
    let elsewhere = Endpoint::open(Manner::Answers(Vec::new())).await;
    let answer = format!("307 Temporary Redirect\r\nlocation: {}\r\n", elsewhere.url());
    let endpoint = Endpoint::open(Manner::Answers(vec![answer.leak()])).await;
    let came = tested(&scene, "moved", &endpoint.url()).await;
    assert_eq!(
        (&came["failure"], &came["status"]),
        (&json!("redirect"), &json!(307))
    );
    assert!(elsewhere.heard().is_empty());
}

#[tokio::test]
async fn an_endpoint_that_is_gone_is_left_alone_until_somebody_resumes_it() {
    let scene = Scene::new().await;
    let endpoint = Endpoint::open(Manner::Answers(vec!["410 Gone\r\n"])).await;
    scene.add("deployer", &endpoint.url()).await;
    let _deliverer = scene.deliver();
    scene.happen("acme/one", &["1"]).await;
    until(async || scene.webhook("deployer").await["state"] == "disabled").await;
    let shown = scene.webhook("deployer").await;
    assert_eq!(
        (&shown["why"], &shown["behind"], &shown["next_try_at"]),
        (&json!("gone"), &json!(1), &Value::Null)
    );
    let audit = scene.world.get("/api/v1/audit").await.json();
    let newest = &audit["items"][0];
    assert_eq!(
        (&newest["action"], &newest["actor"], &newest["details"]["why"]),
        (&json!("webhook.disable"), &json!("system"), &json!("gone"))
    );
    scene.happen("acme/two", &["1"]).await;
    scene.later(24 * 60 * 60);
    scene.act("deployer", "resume").await;
    let heard = endpoint.has_heard(3).await;
    assert_eq!(heard[1].body, heard[0].body);
    assert_eq!(heard[2].subjects(), ["gl/acme/two:1"]);
}

#[tokio::test]
async fn after_a_day_in_vain_a_webhook_is_disabled_and_goes_on_where_it_was() {
    let scene = Scene::new().await;
    let endpoint = Endpoint::open(Manner::Answers(vec!["503 Unavailable\r\n"; 200])).await;
    scene.add("deployer", &endpoint.url()).await;
    let _deliverer = scene.deliver();
    scene.happen("acme/one", &["1"]).await;
    until(async || {
        scene.later(600);
        scene.webhook("deployer").await["state"] == "disabled"
    })
    .await;
    let shown = scene.webhook("deployer").await;
    assert_eq!(
        (&shown["why"], &shown["behind"]),
        (&json!("undeliverable"), &json!(1))
    );
    let known = endpoint.heard().len();
    let fixed = Endpoint::open(Manner::Answers(Vec::new())).await;
    let patch = Method::PATCH;
    let body = Some(json!({"url": fixed.url()}));
    let path = "/api/v1/webhooks/deployer";
    assert_eq!(
        scene
            .world
            .ask(&scene.world.admin, patch, path, body)
            .await
            .status,
        200
    );
    scene.act("deployer", "resume").await;
    let heard = fixed.has_heard(1).await;
    assert_eq!(heard[0].body, endpoint.heard()[0].body);
    assert_eq!(endpoint.heard().len(), known);
}

#[tokio::test]
async fn a_webhook_that_is_ahead_of_the_feed_says_so() {
    let scene = Scene::new().await;
    let endpoint = Endpoint::open(Manner::Answers(Vec::new())).await;
    scene.add("deployer", &endpoint.url()).await;
    let (store, tenant) = (&scene.world.app.store, scene.world.tenant);
    let name = "deployer".parse().unwrap();
    let id = store.webhook_by_name(tenant, &name).await.unwrap().unwrap().id;
    // As after a backup of the inventory was restored.
    let ahead = portolan_store::WebhookChange {
        position: Some(portolan_store::FeedPosition::behind(1_000)),
        ..portolan_store::WebhookChange::default()
    };
    let now = scene.world.app.clock.now();
    store
        .change_webhook(tenant, id, &ahead, now, &|_| None)
        .await
        .unwrap();
    let _deliverer = scene.deliver();
    scene.wake();
    until(async || scene.webhook("deployer").await["why"] == "forgotten").await;
    let refused = scene
        .world
        .post("/api/v1/webhooks/deployer/resume", json!({}))
        .await;
    assert_eq!(refused.refusal(), (409, "webhook_forgotten".to_owned()));
    scene.act("deployer", "resume?skip=true").await;
    scene.happen("acme/one", &["1"]).await;
    assert_eq!(endpoint.has_heard(1).await[0].subjects(), ["gl/acme/one:1"]);
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_is_refused_in_clear_words() {
    let made = rcgen::generate_simple_self_signed(["hooks.example.com".to_owned()]).unwrap();
    let (certificate, key) = (made.cert.der().clone(), made.signing_key.serialize_der());
    let tls = rustls::ServerConfig::builder_with_provider(portolan_shared::tls::provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key.try_into().unwrap())
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(tls));
    let endpoint = Endpoint::open_with(Manner::Answers(Vec::new()), Some(acceptor)).await;
    let url = |host: &str| format!("https://{host}:{}/hunter2", endpoint.address.port());
    // Some authority is trusted, which has nothing to do with it.
    let stranger = rcgen::generate_simple_self_signed(["stranger.example.com".to_owned()]).unwrap();
    let scene = Scene::with(courier(Some(stranger.cert.pem()), HttpCourierParts::PATIENCE)).await;
    let came = tested(&scene, "deployer", &url("hooks.example.com")).await;
    assert_eq!(came["failure"], "certificate");
    let detail = came["detail"].as_str().unwrap();
    assert!(
        detail.contains("certificate was refused") && detail.contains("self signed"),
        "{detail}"
    );
    assert!(endpoint.heard().is_empty());
    // Trusted, and the name is resolved by nobody but the courier, once for each message.
    let names = Arc::new(Loopback::default());
    let trusting = courier_by(
        Arc::clone(&names) as _,
        Some(made.cert.pem()),
        HttpCourierParts::PATIENCE,
    );
    let scene = Scene::with(trusting).await;
    assert_eq!(
        tested(&scene, "deployer", &url("hooks.example.com")).await["arrived"],
        true
    );
    assert_eq!(names.0.load(Ordering::SeqCst), 1);
    let came = tested(&scene, "misnamed", &url("other.example.com")).await;
    assert_eq!(came["failure"], "certificate");
}
