//! What whoever knows no secret can cost at the door for notifications, and what of it is logged.

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
