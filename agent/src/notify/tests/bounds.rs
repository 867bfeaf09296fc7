//! Floods, and what is too large or too much.

use std::time::Duration;

use aws_lc_rs::hmac;
use data_encoding::HEXLOWER;
use portolan_shared::model::EventSubject;
use portolan_shared::model::limits::{DISBELIEVED_AT_ONCE, NOTIFICATION_BYTES};
use tokio::net::TcpStream;

use super::super::body::LARGE;
use super::super::callers::CONNECTIONS;
use super::super::door::BELIEVED_AT_ONCE;
use super::super::listener::{CONNECTIONS as OF_ALL, STRANGERS};
use super::scene::{Request, SECRET, Scene, Wire, push, scene};

#[tokio::test]
async fn a_body_is_as_large_as_its_bound_and_no_larger() {
    let scene = scene().await;
    let padded = |bytes: usize| {
        let body = push("acme/app", "1.0");
        format!("{body}{}", " ".repeat(bytes - body.len()))
    };
    for chunked in [false, true] {
        let mut request = Request::genuine().with_body(padded(NOTIFICATION_BYTES));
        request.chunked = chunked;
        assert_eq!(scene.send(&request).await, 200, "at the bound");
    }
    let mut wire = scene.connect().await;
    for (shown, status) in [(SECRET, 413), ("wrong", 401)] {
        let announced = format!(
            "POST /notify/distribution HTTP/1.1\r\nHost: h\r\nAuthorization: {shown}\r\nContent-Length: {}\r\n\r\n",
            NOTIFICATION_BYTES + 1
        );
        let answer = wire.ask(announced.as_bytes()).await;
        assert_eq!(answer.status(), status, "before it is sent");
        assert!(wire.closed().await);
        wire = scene.connect().await;
    }
    let mut wire = scene.connect().await;
    let mut chunked = Request::genuine().with_body(padded(NOTIFICATION_BYTES + 1));
    chunked.chunked = true;
    let bytes = chunked.bytes();
    // All but the end of the body, so that nothing unread is left when the answer comes.
    assert_eq!(wire.ask(&bytes[..bytes.len() - 5]).await.status(), 413);
    assert_eq!(
        scene.notifier("distribution").last_refused.as_deref(),
        Some("body")
    );
    assert_eq!(scene.told().len(), 1);
    scene.end().await;
}

#[tokio::test]
async fn a_header_has_its_bound() {
    let scene = scene().await;
    let long = Request::genuine().with("X-Long", "x".repeat(20_000));
    assert_eq!(scene.send(&long).await, 431);
    let many = (0..100).fold(Request::genuine(), |request, _| request.with("X-Many", "x"));
    assert_eq!(scene.send(&many).await, 431);
    assert_eq!(scene.send(&Request::genuine()).await, 200);
    scene.end().await;
}

const LARGE_BODY: usize = 100_000;

/// The head of a request with a large body, of which nothing comes before it is asked for.
fn large(name: &str, header: &str) -> String {
    format!(
        "POST /notify/{name} HTTP/1.1\r\nHost: h\r\n{header}\r\nExpect: 100-continue\r\nContent-Length: {LARGE_BODY}\r\n\r\n"
    )
}

/// As many of them as are read at once.
async fn hold(scene: &Scene, name: &str, header: &str) -> Vec<Wire<TcpStream>> {
    let mut held = Vec::new();
    for _ in 0..LARGE {
        let mut wire = scene.connect().await;
        assert_eq!(wire.ask(large(name, header).as_bytes()).await.status(), 100);
        held.push(wire);
    }
    held
}

#[tokio::test]
async fn few_large_bodies_are_read_at_once_and_small_ones_do_not_wait_for_them() {
    let scene = scene().await;
    let genuine = format!("Authorization: {SECRET}");
    let mut held = hold(&scene, "distribution", &genuine).await;
    let mut fifth = scene.connect().await;
    let answer = fifth.ask(large("distribution", &genuine).as_bytes()).await;
    assert_eq!(answer.status(), 429);
    assert!(answer.0.contains("retry-after: 1\r\n"), "{}", answer.0);
    assert_eq!(scene.send(&Request::genuine()).await, 200);
    let body = " ".repeat(LARGE_BODY);
    assert_eq!(held[0].ask(body.as_bytes()).await.status(), 200);
    let mut sixth = scene.connect().await;
    assert_eq!(
        sixth
            .ask(large("distribution", &genuine).as_bytes())
            .await
            .status(),
        100,
        "a place was given back"
    );
    // One registry may have them all as long as no other needs one.
    let mut other = scene.connect().await;
    assert_eq!(
        other.ask(large("harbor", &genuine).as_bytes()).await.status(),
        100
    );
    assert_eq!(held[1].answer().await.status(), 429, "the oldest has made room");
    assert_eq!(other.ask(body.as_bytes()).await.status(), 200);
    scene.end().await;
}

/// A body that is signed with the secret.
fn signed(name: &str, body: String) -> Request<'static> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let signature = HEXLOWER.encode(hmac::sign(&key, body.as_bytes()).as_ref());
    Request::to(&format!("/notify/{name}"))
        .with("X-Gitea-Signature", signature)
        .with_body(body)
}

fn signed_large(name: &str) -> Request<'static> {
    signed(name, " ".repeat(LARGE_BODY))
}

/// Bodies of which only the signature can tell, for one registry or for none: nobody else waits for them.
#[tokio::test]
async fn large_bodies_that_nobody_believes_yet_keep_no_other_registry_out() {
    let scene = scene().await;
    let forged = "X-Gitea-Signature: 00";
    for name in ["gitea", "nowhere"] {
        let mut held = hold(&scene, name, forged).await;
        let mut fifth = scene.connect().await;
        assert_eq!(
            fifth.ask(large(name, forged).as_bytes()).await.status(),
            100,
            "{name}"
        );
        assert_eq!(held[0].answer().await.status(), 429, "the oldest has made room");
        for other in ["nexus", "ghcr"] {
            assert_eq!(scene.send(&signed_large(other)).await, 200, "{name}, {other}");
        }
        let shown = signed_large("gitea").with("Authorization", SECRET);
        assert_eq!(
            scene.send(&shown).await,
            200,
            "{name}: whoever shows the secret is none of those"
        );
        let genuine = Request::genuine().with_body(" ".repeat(LARGE_BODY));
        assert_eq!(scene.send(&genuine).await, 200, "{name}");
        let mut last = held.pop().unwrap();
        let answer = last.ask(" ".repeat(LARGE_BODY).as_bytes()).await;
        assert_eq!(
            answer.status(),
            401,
            "{name}: it has its place still, and is not believed"
        );
    }
    scene.end().await;
}

#[tokio::test]
async fn large_bodies_of_strangers_take_no_place_and_are_answered_as_small_ones() {
    let scene = scene().await;
    let body = " ".repeat(LARGE_BODY);
    let begun = large("distribution", &format!("Authorization: {SECRET}"));
    let mut strangers = Vec::new();
    for n in 0..6 {
        let mut wire = scene.connect_from([127, 0, 1, n + 1]).await;
        assert_eq!(wire.ask(begun.as_bytes()).await.status(), 100);
        // More than is kept of a signed one has come.
        wire.write(&body.as_bytes()[..90_000]).await;
        strangers.push(wire);
    }
    let mut known = scene.connect().await;
    assert_eq!(known.ask(begun.as_bytes()).await.status(), 100);
    assert_eq!(known.ask(body.as_bytes()).await.status(), 200);
    let small = Request::genuine().bytes();
    let small = scene.connect_from([127, 0, 1, 7]).await.ask(&small).await;
    assert_eq!(small.status(), 401);
    for wire in &mut strangers {
        let answer = wire.ask(&body.as_bytes()[90_000..]).await;
        assert_eq!(answer.timeless(), small.timeless());
    }
    let signed = scene
        .connect_from([127, 0, 1, 8])
        .await
        .ask(&signed_large("gitea").bytes())
        .await;
    assert_eq!(signed.timeless(), small.timeless());
    scene.end().await;
}

/// Asks again and again over one connection, a hundred times each; gives how often this was answered before anything else was, and what that was.
async fn ask_until(scene: &Scene, request: impl Fn(u32) -> Request<'static>, expected: u16) -> (u32, u16) {
    let mut wire = scene.connect().await;
    let mut asked = 0;
    loop {
        let requests: Vec<u8> = (asked..asked + 100).flat_map(|n| request(n).bytes()).collect();
        wire.write(&requests).await;
        for _ in 0..100 {
            let status = wire.answer().await.status();
            if status != expected {
                return (asked, status);
            }
            asked += 1;
        }
    }
}

/// All of it from one address, as through a reverse proxy.
#[tokio::test]
async fn guesses_have_their_rate_and_only_whom_they_are_about_waits_for_it() {
    let scene = scene().await;
    let wrong = |name: &str| Request::to(&format!("/notify/{name}")).with("Authorization", "wrong");
    for name in ["gitlab", "nowhere", "elsewhere"] {
        let asked = ask_until(&scene, |_| wrong(name), 401).await;
        assert_eq!(asked, (DISBELIEVED_AT_ONCE, 429), "{name}");
        let right = Request::to(&format!("/notify/{name}")).with("Authorization", SECRET);
        let expected = if name == "gitlab" { 200 } else { 429 };
        assert_eq!(scene.send(&right).await, expected, "{name}");
        assert_eq!(scene.send(&wrong(name)).await, 429, "{name}");
    }
    assert_eq!(scene.notifier("gitlab").last_refused.as_deref(), Some("rate"));
    for request in [
        Request::genuine(),
        Request::to("/notify/harbor").with("Authorization", SECRET),
    ] {
        assert_eq!(scene.send(&request).await, 200, "another registry");
    }
    assert_eq!(scene.send(&wrong("nobody")).await, 401);
    let right = Request::to("/notify/gitlab").with("Authorization", SECRET);
    let mut elsewhere = scene.connect_from([127, 0, 0, 2]).await;
    assert_eq!(
        elsewhere.ask(&right.bytes()).await.status(),
        200,
        "from another address"
    );
    scene.clock.advance(Duration::from_millis(1));
    for (request, status) in [
        (&right, 200),
        (&right, 200),
        (&wrong("gitlab"), 401),
        (&wrong("gitlab"), 429),
        (&right, 200),
    ] {
        assert_eq!(
            scene.send(request).await,
            status,
            "what is believed uses nothing up"
        );
    }
    scene.end().await;
}

/// All of it from one address, and for one registry.
#[tokio::test]
async fn whoever_shows_the_secret_gets_through_however_much_junk_comes_for_its_registry() {
    let scene = scene().await;
    for name in ["artifactory", "nowhere"] {
        let forged = |_| Request::to(&format!("/notify/{name}")).with("X-JFrog-Event-Auth", "sha256=00");
        assert_eq!(
            ask_until(&scene, forged, 401).await,
            (DISBELIEVED_AT_ONCE, 429),
            "{name}"
        );
    }
    let body = push("acme/app", "1.0");
    let by_signature = signed("artifactory", body.clone());
    let to = |path: &str| Request::to(&format!("/notify/{path}")).with_body(body.clone());
    for (what, request, status) in [
        (
            "in a header",
            to("artifactory").with("Authorization", SECRET),
            200,
        ),
        ("in the path", to(&format!("artifactory/{SECRET}")), 200),
        (
            "in the place of a signature",
            to("artifactory").with("X-JFrog-Event-Auth", SECRET),
            200,
        ),
        (
            "beside a signature",
            by_signature.clone().with("Authorization", SECRET),
            200,
        ),
        (
            "beside a forged signature",
            to(&format!("artifactory/{SECRET}")).with("X-Gitea-Signature", "00"),
            401,
        ),
        (
            "a signature alone, which is not looked at",
            by_signature.clone(),
            429,
        ),
    ] {
        assert_eq!(scene.send(&request).await, status, "{what}");
    }
    let wrong = async |name: &str| {
        let request = to(&format!("{name}/correct-horse-battery-staplf"));
        scene.connect().await.ask(&request.bytes()).await.timeless()
    };
    let told = wrong("artifactory").await;
    assert!(told.contains(" 429 "), "{told}");
    assert_eq!(wrong("nowhere").await, told, "whether there is such a registry");
    let mut elsewhere = scene.connect_from([127, 0, 0, 2]).await;
    assert_eq!(elsewhere.ask(&by_signature.bytes()).await.status(), 200);
    scene.end().await;
}

#[tokio::test]
async fn an_address_has_so_many_connections_and_is_let_in_again() {
    let scene = scene().await;
    let mut held = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut wire = scene.connect().await;
        assert_eq!(wire.ask(&Request::genuine().bytes()).await.status(), 200);
        held.push(wire);
    }
    assert!(scene.connect().await.closed().await);
    assert_eq!(scene.desk.view().unwrap().refused_elsewhere, 1);
    held.clear();
    // The listener notices in its own time.
    loop {
        let mut wire = scene.connect().await;
        if !wire.ask(&Request::genuine().bytes()).await.0.is_empty() {
            break;
        }
    }
    scene.end().await;
}

#[tokio::test]
async fn a_registry_has_its_rate_and_a_flood_for_one_repository_is_one_look_at_it() {
    let scene = scene().await;
    let push_of = |n| Request::genuine().with_body(push("acme/app", &format!("t{n}")));
    let asked = ask_until(&scene, push_of, 200).await;
    assert_eq!(asked, (BELIEVED_AT_ONCE, 429));
    // Over another connection and from another address as well, and whoever sends its body later hears of it all the same.
    let mut wire = scene.connect_from([127, 0, 0, 2]).await;
    let bytes = Request::genuine().bytes();
    let (head, body) = bytes.split_at(bytes.len() - 10);
    wire.write(head).await;
    tokio::task::yield_now().await;
    for _ in 0..2 {
        let mut rest = body.to_vec();
        rest.extend(head);
        assert_eq!(wire.ask(&rest).await.status(), 429);
    }
    assert_eq!(
        scene.notifier("distribution").last_refused.as_deref(),
        Some("rate")
    );
    let other = Request::to("/notify/harbor").with("Authorization", SECRET);
    assert_eq!(scene.send(&other).await, 200, "another registry has its own");
    scene.clock.advance(Duration::from_secs(1));
    assert_eq!(scene.send(&Request::genuine()).await, 200);
    let told = scene.told();
    assert_eq!(told.len(), 1);
    assert_eq!(
        told[0].subject,
        EventSubject::EveryTag("acme/app".parse().unwrap())
    );
    assert_eq!(told[0].count, BELIEVED_AT_ONCE + 1);
    scene.end().await;
}

#[tokio::test]
async fn all_addresses_together_have_so_many_connections_and_strangers_take_none_of_them() {
    let scene = scene().await;
    let ask = async |source: [u8; 4]| {
        let mut wire = scene.connect_from(source).await;
        let answer = wire.ask(&Request::genuine().bytes()).await;
        (wire, answer.0.split(' ').nth(1).map(str::to_owned))
    };
    let status = |code: &str| Some(code.to_owned());
    let mut held = Vec::new();
    for n in 0..STRANGERS {
        let (wire, answer) = ask([127, 0, 1, u8::try_from(n).unwrap()]).await;
        assert_eq!(answer, status("401"));
        held.push(wire);
    }
    assert_eq!(ask([127, 0, 1, 200]).await.1, None, "closed without an answer");
    for n in 0..OF_ALL {
        let (wire, answer) = ask([127, 0, 0, u8::try_from(n).unwrap() + 2]).await;
        assert_eq!(answer, status("200"));
        held.push(wire);
    }
    assert_eq!(ask([127, 0, 0, 200]).await.1, None);
    scene.end().await;
}
