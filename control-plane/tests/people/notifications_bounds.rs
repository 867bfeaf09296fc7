//! What whoever knows no secret can cost at the door for notifications, what is passed over there, what is counted, and what of it is logged.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use axum::body::{Body, Bytes};
use axum::extract::ConnectInfo;
use axum::http::{Method, Request};
use futures::stream::{self, FuturesUnordered, StreamExt as _};
use tracing::field::{Field, Visit};
use tracing::span;

use crate::notifications::{PUSH, Scene};

/// Bodies that only their signature can tell of, at once.
const UNJUDGED: usize = 64;
const SIGNED: (&str, &str) = ("X-Hub-Signature-256", "sha256=00");

fn request(path: &str, header: (&str, &str), body: Body) -> Request<Body> {
    let request = Request::builder().method(Method::POST).uri(path);
    request.header(header.0, header.1).body(body).unwrap()
}

/// A body that never ends, and whether anybody has asked for it.
fn endless() -> (Body, Arc<AtomicBool>) {
    let asked = Arc::new(AtomicBool::new(false));
    let ask = Arc::clone(&asked);
    let body = stream::poll_fn(move |_| {
        ask.store(true, Ordering::Relaxed);
        std::task::Poll::<Option<Result<Bytes, std::io::Error>>>::Pending
    });
    (Body::from_stream(body), asked)
}

#[tokio::test]
async fn of_whoever_shows_a_wrong_secret_no_body_is_taken_in() {
    let scene = Scene::new().await;
    let wrong_in_path = format!("{}/hunter2", scene.path);
    for path in [
        &scene.path,
        &wrong_in_path,
        "/api/webhooks/harbor/no-id",
        "/api/webhooks/x/%ff",
    ] {
        let (body, asked) = endless();
        let answer = scene
            .world
            .send(request(path, ("Authorization", "wrong"), body))
            .await;
        assert_eq!(answer.status, 401, "{path}");
        assert!(!asked.load(Ordering::Relaxed), "{path}");
    }
}

#[tokio::test]
async fn bodies_that_nobody_believes_yet_have_their_places_and_take_none_of_others() {
    let scene = Scene::new().await;
    let mut held = FuturesUnordered::new();
    let mut asked = Vec::new();
    for _ in 0..UNJUDGED {
        let (body, begun) = endless();
        asked.push(begun);
        held.push(scene.world.send(request(&scene.path, SIGNED, body)));
    }
    while !asked.iter().all(|asked| asked.load(Ordering::Relaxed)) {
        assert!(futures::poll!(held.next()).is_pending(), "nobody is answered");
        tokio::task::yield_now().await;
    }
    let further = scene
        .world
        .send(request(&scene.path, SIGNED, Body::from(PUSH)))
        .await;
    assert_eq!(
        (further.status.as_u16(), further.header("retry-after")),
        (429, Some("1"))
    );
    assert_eq!(
        scene.knock(&scene.path, Some(&scene.secret), PUSH).await.status,
        200,
        "whoever shows the secret does not wait"
    );
    drop(held);
    let later = scene
        .world
        .send(request(&scene.path, SIGNED, Body::from(PUSH)))
        .await;
    assert_eq!(later.status, 401);
}

#[tokio::test]
async fn a_source_has_its_rate_whatever_it_shows() {
    let scene = Scene::new().await;
    let from = |address: &str, path: &str, secret: &str| {
        let mut request = request(path, ("Authorization", secret), Body::from(PUSH));
        let remote: SocketAddr = address.parse().unwrap();
        request.extensions_mut().insert(ConnectInfo(remote));
        scene.world.send(request)
    };
    let mut tried = 0;
    let refused = loop {
        // Each from another host of one network.
        let address = format!("[2001:db8::{tried:x}]:1");
        let answer = from(&address, "/api/webhooks/harbor/no-id", "wrong").await;
        if answer.status != 401 {
            break answer;
        }
        tried += 1;
    };
    assert_eq!((tried, refused.status.as_u16()), (5_000, 429));
    assert_eq!(refused.header("retry-after"), Some("1"));
    let same = from("[2001:db8::1]:2", &scene.path, &scene.secret).await;
    assert_eq!(same.status, 429);
    let other = from("192.0.2.1:1", &scene.path, &scene.secret).await;
    assert_eq!(other.status, 200);
    assert_eq!(
        scene.knock(&scene.path, Some(&scene.secret), PUSH).await.status,
        200,
        "those of no known address are one more source"
    );
}

#[tokio::test]
async fn what_is_too_large_is_counted_for_whom_it_came() {
    let scene = Scene::new().await;
    let large = " ".repeat(1024 * 1024 + 1);
    assert_eq!(scene.knock(&scene.path, Some("wrong"), &large).await.status, 401);
    assert_eq!(
        scene.knock(&scene.path, Some(&scene.secret), &large).await.status,
        413
    );
    assert_eq!(scene.counts().await, [(0, 0, 2, Some("too large".to_owned()))]);
}

/// They have bodies of up to 25 MB, and from 19.0 a signature that GitLab makes with a key of its own.
#[tokio::test]
async fn a_webhook_of_gitlab_is_passed_over_whatever_its_body_and_its_signature_are() {
    let scene = Scene::new().await;
    let large = format!("{{\"object_kind\":\"push\"}}{}", " ".repeat(2 * 1024 * 1024));
    let send = async |path: &str, token: &str, body: &str| {
        let request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .header("X-Gitlab-Event", "Push Hook")
            .header("X-Gitlab-Token", token)
            .header("webhook-id", "0f8fad5b-d9cb-469f-a165-70867728950e")
            .header("webhook-timestamp", "1767323045")
            .header(
                "webhook-signature",
                "v1,Z/GnKtMPhzHw7hCQ2oB9D+Olibp/2jgKDyUiTF0TUEE=",
            );
        let request = request.body(Body::from(body.to_owned())).unwrap();
        scene.world.send(request).await.status.as_u16()
    };
    for sender in ["distribution", "gitlab"] {
        let path = scene.path.replace("distribution", sender);
        let in_path = format!("{path}/{}", scene.secret);
        for body in [large.as_str(), PUSH, "no JSON"] {
            assert_eq!(send(&path, &scene.secret, body).await, 200, "{sender}");
            assert_eq!(send(&in_path, "another", body).await, 200, "{sender}");
        }
        assert_eq!(send(&path, "wrong", PUSH).await, 401, "{sender}");
    }
    let nowhere = scene.path.replace(
        &scene.registry.to_string(),
        "0198c2f1-0000-7000-8000-000000000001",
    );
    assert_eq!(send(&nowhere, &scene.secret, PUSH).await, 401);
    assert!(!scene.is_due().await);
    assert_eq!(
        scene.counts().await,
        [(0, 12, 2, Some("wrong signature".to_owned()))]
    );
}

#[tokio::test]
async fn every_answer_is_counted_whatever_it_was_and_whoever_came() {
    let scene = Scene::new().await;
    let tally = &scene.world.app.event_tally;
    let counted = |outcome: &str| {
        let line = format!("portolan_push_events_total{{door=\"webhook\",outcome=\"{outcome}\"}} ");
        let told = tally.render();
        let count = told
            .lines()
            .find_map(|told| told.strip_prefix(&line))
            .unwrap_or("0");
        count.parse::<u64>().unwrap()
    };
    let other = "/api/webhooks/harbor/0198c2f1-0000-7000-8000-000000000001";
    let large = " ".repeat(1024 * 1024 + 1);
    for (outcome, path, secret, body) in [
        ("accepted", scene.path.as_str(), Some(scene.secret.as_str()), PUSH),
        ("ignored", &scene.path, Some(&scene.secret), PUSH),
        ("ignored", &scene.path, Some(&scene.secret), r#"{"events":[]}"#),
        ("malformed", &scene.path, Some(&scene.secret), "rubbish"),
        ("too_large", &scene.path, Some(&scene.secret), &large),
        ("no_secret", &scene.path, None, PUSH),
        ("wrong_secret", &scene.path, Some("wrong"), PUSH),
        ("unknown_registry", other, Some("wrong"), PUSH),
        (
            "unreadable_path",
            "/api/webhooks/harbor/no-id",
            Some("wrong"),
            PUSH,
        ),
        ("unreadable_path", "/api/webhooks/x/%ff", Some("wrong"), PUSH),
    ] {
        let before = counted(outcome);
        scene.knock(path, secret, body).await;
        assert_eq!(counted(outcome), before + 1, "{outcome}: {path}");
    }
    for (outcome, body) in [("wrong_signature", PUSH), ("too_large", &large)] {
        let before = counted(outcome);
        scene
            .world
            .send(request(&scene.path, SIGNED, Body::from(body.to_owned())))
            .await;
        assert_eq!(counted(outcome), before + 1, "{outcome}, signed");
    }
    let before = counted("too_many");
    let mut refused = 0;
    while refused == 0 {
        let answer = scene.knock("/api/webhooks/harbor/no-id", None, "").await;
        refused += u64::from(answer.status == 429);
    }
    assert_eq!(
        counted("too_many"),
        before + refused,
        "a source that comes too often"
    );
    let (labels, bound) = (tally.render().matches("portolan_push_events_total{").count(), 20);
    assert!(
        labels <= bound,
        "{labels} of them, none of which anybody outside has chosen"
    );
}

/// Everything that is logged, at every level and by whomever, as text.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<String>>);

struct Text<'t>(&'t mut String);

impl Visit for Text<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let _ = write!(self.0, " {field}={value:?}");
    }
}

impl tracing::Subscriber for Log {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, span: &span::Attributes<'_>) -> span::Id {
        span.record(&mut Text(&mut self.0.lock().unwrap()));
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, values: &span::Record<'_>) {
        values.record(&mut Text(&mut self.0.lock().unwrap()));
    }
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut Text(&mut self.0.lock().unwrap()));
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

#[tokio::test]
async fn no_path_with_a_secret_and_no_header_with_one_is_logged() {
    let scene = Scene::new().await;
    let log = Log::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    let in_path = format!("{}/{}", scene.path, scene.secret);
    let large = " ".repeat(1024 * 1024 + 1);
    for (status, path, header, body) in [
        (200, in_path.clone(), None, PUSH),
        (200, in_path.clone(), None, "rubbish"),
        (413, in_path.clone(), None, large.as_str()),
        (401, format!("{}/hunter2", scene.path), None, PUSH),
        (401, scene.path.clone(), Some("hunter2"), PUSH),
        (401, in_path.replace("distribution", "nobody"), None, PUSH),
        (401, "/api/webhooks/harbor/hunter2".to_owned(), None, PUSH),
        (401, "/api/webhooks/harbor/hunter2%ff".to_owned(), None, PUSH),
        (404, format!("{in_path}/hunter2"), None, PUSH),
    ] {
        assert_eq!(scene.knock(&path, header, body).await.status, status, "{path}");
    }
    let get = Request::builder().uri(&in_path).body(Body::empty()).unwrap();
    assert_eq!(scene.world.send(get).await.status, 405);
    let logged = log.0.lock().unwrap().clone();
    assert!(logged.contains("a notification is not authentic"), "{logged}");
    for secret in [scene.secret.as_str(), "hunter2"] {
        assert!(!logged.contains(secret), "{secret} in {logged}");
    }
}
