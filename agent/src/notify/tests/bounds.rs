//! Floods, and what is too large or too much.

use std::time::Duration;

use portolan_shared::model::EventSubject;
use portolan_shared::model::limits::NOTIFICATION_BYTES;

use super::super::callers::{BURST, CONNECTIONS};
use super::super::listener::{CONNECTIONS as OF_ALL, STRANGERS};
use super::scene::{Request, SECRET, push, scene};

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
    let announced = format!(
        "POST /notify/nowhere HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n",
        NOTIFICATION_BYTES + 1
    );
    let answer = wire.ask(announced.as_bytes()).await;
    assert_eq!(answer.status(), 413, "before it is sent");
    assert!(wire.closed().await);
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

#[tokio::test]
async fn few_large_bodies_are_read_at_once_and_small_ones_do_not_wait_for_them() {
    let scene = scene().await;
    let begun = |length: usize| {
        format!(
            "POST /notify/distribution HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n\r\n"
        )
    };
    let mut holders = Vec::new();
    for _ in 0..4 {
        let mut wire = scene.connect().await;
        assert_eq!(wire.ask(begun(100_000).as_bytes()).await.status(), 100);
        holders.push(wire);
    }
    let mut fifth = scene.connect().await;
    let answer = fifth.ask(begun(100_000).as_bytes()).await;
    assert_eq!(answer.status(), 429);
    assert!(answer.0.contains("retry-after: 1\r\n"), "{}", answer.0);
    assert_eq!(scene.send(&Request::genuine()).await, 200);
    let body = " ".repeat(100_000);
    assert_eq!(holders[0].ask(body.as_bytes()).await.status(), 401);
    let mut sixth = scene.connect().await;
    assert_eq!(
        sixth.ask(begun(100_000).as_bytes()).await.status(),
        100,
        "a place was given back"
    );
    scene.end().await;
}

#[tokio::test]
async fn large_bodies_of_strangers_take_no_place_and_are_answered_as_small_ones() {
    let scene = scene().await;
    let body = " ".repeat(100_000);
    let begun = format!(
        "POST /notify/distribution HTTP/1.1\r\nHost: h\r\nAuthorization: {SECRET}\r\nExpect: 100-continue\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    let mut strangers = Vec::new();
    for n in 0..6 {
        let mut wire = scene.connect_from([127, 0, 1, n + 1]).await;
        assert_eq!(wire.ask(begun.as_bytes()).await.status(), 100);
        // More than is kept of it has come.
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
    let above = Request::genuine().with_body(" ".repeat(1024 * 1024 + 1)).bytes();
    let (head, _) = above.split_at(200);
    let mut wire = scene.connect_from([127, 0, 1, 8]).await;
    assert_eq!(wire.ask(head).await.status(), 413, "as whoever asks");
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
async fn an_address_has_its_rate_and_a_flood_for_one_repository_is_one_look_at_it() {
    let scene = scene().await;
    let mut wire = scene.connect().await;
    let mut statuses = Vec::new();
    for batch in 0..=BURST / 100 {
        let requests = (0..100).flat_map(|n| {
            let body = push("acme/app", &format!("t{batch}-{n}"));
            Request::genuine().with_body(body).bytes()
        });
        let requests: Vec<u8> = requests.collect();
        wire.write(&requests).await;
        for _ in 0..100 {
            let answer = wire.answer().await;
            if answer.0.is_empty() {
                break;
            }
            statuses.push(answer.status());
        }
        if statuses.last() == Some(&429) {
            break;
        }
    }
    let burst = usize::try_from(BURST).unwrap();
    let (within, beyond) = statuses.split_at(burst);
    assert!(within.iter().all(|status| *status == 200));
    assert!(!beyond.is_empty() && beyond.iter().all(|status| *status == 429));
    // Over another connection as well, and whoever sends its body later hears of it all the same.
    let mut wire = scene.connect().await;
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
    scene.clock.advance(Duration::from_secs(1));
    assert_eq!(scene.send(&Request::genuine()).await, 200);
    let told = scene.told();
    assert_eq!(told.len(), 1);
    assert_eq!(
        told[0].subject,
        EventSubject::EveryTag("acme/app".parse().unwrap())
    );
    assert_eq!(told[0].count, BURST + 1);
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
