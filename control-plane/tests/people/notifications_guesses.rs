//! How often whoever comes to the door for notifications may be wrong, and whom that keeps out.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;

use crate::notifications::{PUSH, Scene};
use crate::notifications_bounds::{NOBODY, SIGNED, another, endless, request, signed};

/// Notifications of one registry from one source that are not believed, at once.
const DISBELIEVED: usize = 5_000;
/// As it comes where no secret is set.
const SIGNED_BY_NOBODY: (&str, &str) = ("X-Hub-Signature-256", "");

#[tokio::test]
async fn guesses_have_their_rate_and_only_whom_they_are_about_waits_for_it() {
    let scene = Scene::new().await;
    let (other, its_secret) = another(&scene, "other").await;
    // All of it comes through one proxy.
    let send = |address: &str, mut request: Request<Body>| {
        let remote: SocketAddr = address.parse().unwrap();
        request.extensions_mut().insert(ConnectInfo(remote));
        scene.world.send(request)
    };
    let from = |address: &str, path: &str, secret: &str| {
        send(
            address,
            request(path, ("Authorization", secret), Body::from(PUSH)),
        )
    };
    let mut refusals = Vec::new();
    for path in [scene.path.as_str(), NOBODY] {
        let mut tried = 0;
        let refused = loop {
            // Each from another host of one network.
            let address = format!("[2001:db8::{tried:x}]:1");
            let answer = from(&address, path, &format!("guess {tried}")).await;
            if answer.status != 401 {
                break answer;
            }
            tried += 1;
        };
        assert_eq!((tried, refused.status.as_u16()), (DISBELIEVED, 429), "{path}");
        assert_eq!(refused.header("retry-after"), Some("1"));
        let id = refused.header("x-request-id").unwrap();
        let told = format!(
            "{:?} {}",
            refused.headers,
            String::from_utf8_lossy(&refused.bytes)
        );
        refusals.push(told.replace(id, "its own"));
        for header in [("Authorization", "wrong"), SIGNED] {
            let (body, asked) = endless();
            let answer = send("[2001:db8::1]:2", request(path, header, body)).await;
            assert_eq!(answer.status, 429, "{path}");
            assert!(!asked.load(Ordering::Relaxed), "no body is taken in");
        }
    }
    assert_eq!(refusals[0], refusals[1], "whether there is such a registry");
    for (path, secret) in [(&other, &its_secret), (&scene.path, &scene.secret)] {
        let elsewhere = from("192.0.2.1:1", path, secret).await;
        assert_eq!(elsewhere.status, 200, "from another source");
    }
    let same = from("[2001:db8::1]:3", &other, &its_secret).await;
    assert_eq!(same.status, 200, "another registry, from the same source");
    let signature = request(&scene.path, SIGNED, Body::from(PUSH));
    assert_eq!(scene.world.send(signature).await.status, 401);
    scene.world.clock.advance(std::time::Duration::from_millis(1));
    let mut told = Vec::new();
    for secret in [&scene.secret, &scene.secret, "wrong", "wrong", &scene.secret] {
        told.push(from("[2001:db8::1]:4", &scene.path, secret).await.status.as_u16());
    }
    assert_eq!(
        told,
        [200, 200, 401, 429, 200],
        "what is believed uses nothing up, and nothing keeps it out"
    );
    let in_path = format!("{}/{}", scene.path, scene.secret);
    let artifactory = scene.path.replace("distribution", "artifactory");
    let mut beside = signed(&scene.path, &scene.secret, PUSH);
    let secret = scene.secret.parse().unwrap();
    beside.headers_mut().insert("Authorization", secret);
    for (what, request, status) in [
        (
            "in the path",
            request(&in_path, SIGNED_BY_NOBODY, Body::from(PUSH)),
            200,
        ),
        (
            "in the place of a signature",
            request(
                &artifactory,
                ("X-JFrog-Event-Auth", &scene.secret),
                Body::from(PUSH),
            ),
            200,
        ),
        ("beside a signature", beside, 200),
        (
            "beside a forged signature",
            request(&in_path, SIGNED, Body::from(PUSH)),
            401,
        ),
        (
            "a signature alone, which is not looked at",
            signed(&scene.path, &scene.secret, PUSH),
            429,
        ),
    ] {
        assert_eq!(send("[2001:db8::1]:5", request).await.status, status, "{what}");
    }
}
