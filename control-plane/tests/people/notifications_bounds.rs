//! What whoever knows no secret can cost at the door for notifications, what is passed over there, what is counted, and what of it is logged. How often it may
//! be wrong is in `notifications_guesses`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_lc_rs::hmac;
use axum::body::{Body, Bytes};
use axum::http::{Method, Request};
use data_encoding::HEXLOWER;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use futures::stream::{self, FuturesUnordered, StreamExt as _};
use portolan_doubles::Log;
use portolan_shared::model::RegistryId;
use portolan_shared::process::SeededRng;
use serde_json::json;

use crate::notifications::{PUSH, Scene};
use crate::world::Answer;

/// Bodies of one registry that only their signature can tell of, at once.
const UNJUDGED: usize = 8;
/// The same of all registries.
const UNJUDGED_OF_ALL: usize = 128;
/// An id that is no registry's.
pub(crate) const NOBODY: &str = "/api/webhooks/distribution/0198c2f1-0000-7000-8000-000000000001";
pub(crate) const SIGNED: (&str, &str) = ("X-Hub-Signature-256", "sha256=00");

pub(crate) fn request(path: &str, header: (&str, &str), body: Body) -> Request<Body> {
    let request = Request::builder().method(Method::POST).uri(path);
    request.header(header.0, header.1).body(body).unwrap()
}

/// A body that never ends, and whether anybody has asked for it.
pub(crate) fn endless() -> (Body, Arc<AtomicBool>) {
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

/// A body that is signed with the secret.
pub(crate) fn signed(path: &str, secret: &str, body: &str) -> Request<Body> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let signature = format!(
        "sha256={}",
        HEXLOWER.encode(hmac::sign(&key, body.as_bytes()).as_ref())
    );
    request(path, (SIGNED.0, &signature), Body::from(body.to_owned()))
}

/// The door of another registry, and its secret.
pub(crate) async fn another(scene: &Scene, name: &str) -> (String, String) {
    let body = json!({"name": name, "url": format!("https://{name}.example.com"), "sensors": ["berlin-1"]});
    assert_eq!(scene.world.post("/api/v1/registries", body).await.status, 201);
    let webhook = format!("/api/v1/registries/{name}/webhook");
    let shown = scene
        .world
        .ask(&scene.world.operator, Method::GET, &webhook, None);
    let shown = shown.await.json();
    let text = |member: &str| shown[member].as_str().unwrap().to_owned();
    (text("path"), text("secret"))
}

/// Slow bodies with a signature, of which nothing comes, once they are asked for.
struct Slow<'s>(FuturesUnordered<BoxFuture<'s, Answer>>);

impl<'s> Slow<'s> {
    async fn hold(scene: &'s Scene, paths: impl IntoIterator<Item = String>) -> Self {
        let held = FuturesUnordered::new();
        let mut asked = Vec::new();
        for path in paths {
            let (body, begun) = endless();
            asked.push(begun);
            held.push(scene.world.send(request(&path, SIGNED, body)).boxed());
        }
        let mut slow = Self(held);
        while !asked.iter().all(|asked| asked.load(Ordering::Relaxed)) {
            assert!(slow.answered().is_none(), "nobody is answered");
            tokio::task::yield_now().await;
        }
        slow
    }

    /// The status of one that is answered already.
    fn answered(&mut self) -> Option<u16> {
        let answer = self.0.next().now_or_never().flatten()?;
        Some(answer.status.as_u16())
    }
}

#[tokio::test]
async fn bodies_that_nobody_believes_yet_take_no_places_but_their_own_registrys() {
    let scene = Scene::new().await;
    let (other, its_secret) = another(&scene, "other").await;
    let told = async |request| {
        let answer = scene.world.send(request).await;
        (
            answer.status.as_u16(),
            answer.header("retry-after").map(str::to_owned),
        )
    };
    for path in [scene.path.as_str(), NOBODY] {
        let mut held = Slow::hold(&scene, vec![path.to_owned(); UNJUDGED]).await;
        let unbelieved = told(request(path, SIGNED, Body::from(PUSH))).await;
        assert_eq!(unbelieved.0, 401, "{path}: whoever comes last is judged");
        assert_eq!(
            (held.answered(), held.answered()),
            (Some(429), None),
            "{path}: in the place of the one that is slowest"
        );
        assert_eq!(
            scene.knock(&scene.path, Some(&scene.secret), PUSH).await.status,
            200,
            "whoever shows the secret does not wait"
        );
        let mut shown = signed(&scene.path, &scene.secret, PUSH);
        shown
            .headers_mut()
            .insert("Authorization", scene.secret.parse().unwrap());
        assert_eq!(told(shown).await.0, 200, "{path}: nor with a signature beside it");
        assert_eq!(told(signed(&other, &its_secret, PUSH)).await.0, 200, "{path}");
        drop(held);
        assert_eq!(
            told(request(path, SIGNED, Body::from(PUSH))).await.0,
            401,
            "{path}"
        );
    }
}

/// Whoever holds all places with ids that it has made up takes none of a registry's; whoever does with ids that it knows gives one back to each other one.
#[tokio::test]
async fn whoever_fills_the_places_of_all_keeps_no_registry_out() {
    let scene = Scene::new().await;
    let rng = SeededRng::new(7);
    let made_up = |_| format!("/api/webhooks/distribution/{}", RegistryId::random(&rng));
    let mut held = Slow::hold(&scene, (0..UNJUDGED_OF_ALL).map(made_up)).await;
    let answer = scene.world.send(signed(&scene.path, &scene.secret, PUSH)).await;
    assert_eq!(answer.status, 200);
    assert_eq!(held.answered(), None, "it has taken no place of theirs");
    drop(held);

    let mut known = Vec::new();
    for number in 0..UNJUDGED_OF_ALL / UNJUDGED {
        let (path, _) = another(&scene, &format!("r{number}")).await;
        known.extend(vec![path; UNJUDGED]);
    }
    let mut held = Slow::hold(&scene, known).await;
    let answer = scene.world.send(signed(&scene.path, &scene.secret, PUSH)).await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        (held.answered(), held.answered()),
        (Some(429), None),
        "one made room"
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
        let answer = scene.knock(NOBODY, None, "").await;
        refused += u64::from(answer.status == 429);
    }
    assert_eq!(counted("too_many"), before + refused, "who guesses too often");
    let (labels, bound) = (tally.render().matches("portolan_push_events_total{").count(), 20);
    assert!(
        labels <= bound,
        "{labels} of them, none of which anybody outside has chosen"
    );
}

#[tokio::test]
async fn no_path_with_a_secret_and_no_header_with_one_is_logged() {
    let scene = Scene::new().await;
    let log = Log::of_all();
    let _listening = log.listen();
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
    let logged = log.text();
    assert!(logged.contains("a notification is not authentic"), "{logged}");
    for secret in [scene.secret.as_str(), "hunter2"] {
        assert!(!logged.contains(secret), "{secret} in {logged}");
    }
}

#[tokio::test]
async fn an_event_counts_once_however_its_repository_may_be_named() {
    let scene = Scene::new().await;
    let path = scene.path.replace("distribution", "artifactory");
    let pushed = json!({"domain": "docker", "event_type": "pushed",
        "data": {"repo_key": "acme", "image_name": "acme/shop", "tag": "1.0", "path": "acme/shop/1.0/manifest.json"}});
    let in_path = format!("{path}/{}", scene.secret);
    assert_eq!(scene.knock(&in_path, None, &pushed.to_string()).await.status, 200);
    assert!(scene.is_due().await);
    assert_eq!(scene.counts().await, [(1, 0, 0, None)]);
    let text = scene.world.app.event_tally.render();
    let counted = "portolan_push_events_total{door=\"webhook\",outcome=\"accepted\"} 1";
    assert!(text.contains(counted), "{text}");
}
