//! The change feed, waiting for what comes.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{Method, header};
use futures::FutureExt as _;
use http_body_util::BodyExt as _;
use portolan::app::{App, FeedPage, FeedReaders, FeedStart, ReaderEnd, Signals};
use portolan::web;
use portolan_shared::model::limits;
use serde_json::Value;
use tower::ServiceExt as _;

use crate::changes::{lines, push, told};
use crate::shop::Shop;
use crate::world::{World, app_over, request};

/// How long anything may take before a test gives up: less than what is waited for in vain.
const GIVE_UP: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

/// Puts so many tags with the longest names in the place of those that are there.
pub(crate) async fn fill(world: &World, shop: &Shop, tags: usize) {
    let tags: Vec<_> = (0..tags).map(|n| format!("{n:0>128}")).collect();
    let tags: Vec<_> = tags.iter().map(|tag| (tag.as_str(), &shop.image)).collect();
    push(world, shop, &tags).await;
}

/// A control plane that looks for what nobody said after an hour, if ever.
async fn deaf() -> World {
    let mut world = World::new().await;
    let signals = Signals {
        feed: FeedReaders::looking_every(HOUR),
        ..Signals::default()
    };
    world.app = Arc::new(App {
        signals,
        ..app_over(Arc::clone(&world.app.store), Arc::clone(&world.clock), 2)
    });
    world.router = web::router(Arc::clone(&world.app), || Ok(()));
    world
}

/// What the body of a stream says next.
async fn frame(body: &mut axum::body::Body) -> String {
    let frame = body.frame().await.unwrap().unwrap();
    String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap()
}

async fn stream(world: &World, query: &str) -> axum::body::Body {
    let path = format!("/api/v1/changes{query}");
    let mut request = request(Some(&world.viewer), Method::GET, &path, None);
    request
        .headers_mut()
        .insert(header::ACCEPT, "text/event-stream".parse().unwrap());
    let answer = world.router.clone().oneshot(request).await.unwrap();
    assert!(answer.status().is_success());
    answer.into_body()
}

#[tokio::test]
async fn a_wait_ends_when_nothing_happens() {
    let world = World::new().await;
    Shop::open(&world).await;
    let now = world.get("/api/v1/changes?from=now").await.json();
    let cursor = now["next_cursor"].as_str().unwrap();
    let waited = world
        .get(&format!("/api/v1/changes?wait=1&cursor={cursor}"))
        .await;
    let (waited, begun) = (waited.json(), now);
    assert_eq!(waited, begun, "nothing, and the same place again");
    assert_eq!(waited["at_end"], true);
}

#[tokio::test]
async fn a_commit_of_this_process_wakes_by_its_signal() {
    let world = deaf().await;
    let shop = Shop::open(&world).await;
    let viewer = world.app.authenticate(&world.viewer, None).await.unwrap();
    for digests in [[&shop.index, &shop.image], [&shop.image, &shop.image]] {
        let now = world
            .app
            .feed_cursor(&viewer, FeedStart::Now, None)
            .await
            .unwrap();
        let mut poll = Box::pin(world.app.poll_feed(&viewer, &now, 9, HOUR));
        // Until it has looked, and waits.
        let looked = tokio::time::timeout(Duration::from_millis(500), &mut poll).await;
        assert!(looked.is_err(), "it ended without anything");
        push(&world, &shop, &[("1.0", digests[0]), ("2.0", digests[1])]).await;
        let page = tokio::time::timeout(GIVE_UP, poll)
            .await
            .expect("nothing woke it");
        assert!(!page.unwrap().items.is_empty());
    }
}

#[tokio::test]
async fn who_is_sent_away_before_the_end_is_not_told_that_it_was_the_end() {
    let world = World::new().await;
    let viewer = world.app.authenticate(&world.viewer, None).await.unwrap();
    let now = world
        .app
        .feed_cursor(&viewer, FeedStart::Now, None)
        .await
        .unwrap();
    let mut reader = world.app.enter_feed(&viewer).unwrap();
    world.clock.advance(HOUR);
    // As after many changes of other registries that were passed over.
    let mut page = FeedPage {
        items: Vec::new(),
        next: now,
        at_end: false,
        ended: false,
    };
    let followed = world.app.follow_feed(&mut reader, &mut page, 9).await;
    assert_eq!(followed.unwrap(), Some(ReaderEnd::Age));
    assert!(!page.at_end);
}

#[tokio::test]
async fn a_stream_without_events_says_that_it_lives() {
    let world = deaf().await;
    let before = tokio::time::Instant::now();
    let mut body = stream(&world, "?from=now").await;
    assert!(frame(&mut body).await.contains("event: begin"));
    // It reads the database once more, then there is nothing but time. The time to the first beat runs since somewhere in between.
    let _ = tokio::time::timeout(Duration::from_millis(500), body.frame()).await;
    tokio::time::pause();
    let after = tokio::time::Instant::now();
    for beats in 1..=3_u32 {
        assert_eq!(frame(&mut body).await, ":\n\n");
        let due = Duration::from_secs(15) * beats;
        assert!(before.elapsed() >= due, "{:?}", before.elapsed());
        assert!(after.elapsed() <= due, "{:?}", after.elapsed());
    }
}

#[tokio::test]
async fn a_stream_whose_client_does_not_read_keeps_no_other_waiting() {
    let world = World::new().await;
    let shop = Shop::open(&world).await;
    let mut streams = Vec::new();
    for _ in 0..limits::FEED_READERS_PER_TOKEN {
        let mut body = stream(&world, "?from=now").await;
        assert!(frame(&mut body).await.contains("event: begin"));
        // It waits, and is not asked again.
        assert!(frame(&mut body).now_or_never().is_none());
        streams.push(body);
    }
    let mut last = streams.pop().unwrap();
    push(&world, &shop, &[("1.0", &shop.image), ("2.0", &shop.image)]).await;
    let told = tokio::time::timeout(GIVE_UP, frame(&mut last)).await;
    assert!(told.expect("nobody woke it").contains("gl/acme/shop:"));
}

#[tokio::test]
async fn nothing_is_told_to_a_revoked_token_that_was_read_before() {
    let world = World::new().await;
    Shop::open(&world).await;
    let mut body = stream(&world, "").await;
    assert!(frame(&mut body).await.contains("open"));
    assert!(frame(&mut body).await.contains("gl/acme/shop:1.0"));
    let viewer = world.app.authenticate(&world.viewer, None).await.unwrap();
    let path = format!("/api/v1/tokens/{}", viewer.token);
    let revoked = world.ask(&world.admin, Method::DELETE, &path, None).await;
    assert!(revoked.status.is_success());
    world.clock.advance(Duration::from_secs(15));
    let end = frame(&mut body).await;
    assert!(end.contains("event: end") && end.contains("token"), "{end}");
    assert!(body.frame().now_or_never().unwrap().is_none());
}

#[tokio::test]
async fn a_stream_has_a_hundred_events_in_hand_whatever_is_asked_for() {
    let world = World::new().await;
    let shop = Shop::open(&world).await;
    let names: Vec<_> = (100..202).map(|n| n.to_string()).collect();
    let mut tags: Vec<_> = names.iter().map(|name| (name.as_str(), &shop.image)).collect();
    push(&world, &shop, &tags).await;
    let mut body = stream(&world, "?limit=1000").await;
    assert!(frame(&mut body).await.contains("open"));
    // The hundredth was read with those before it, the hundred and first is read when they are told.
    tags[99].1 = &shop.index;
    tags[100].1 = &shop.index;
    push(&world, &shop, &tags).await;
    for (name, _) in &tags[..102] {
        let told = frame(&mut body).await;
        assert!(told.contains(&format!("gl/acme/shop:{name}")), "{told}");
        let moved = *name == "200";
        assert_eq!(told.contains(&shop.index.to_string()), moved, "{told}");
    }
}

#[tokio::test]
async fn who_follows_a_registry_by_its_name_is_told_that_it_was_removed_and_nothing_else() {
    for added_again in [false, true] {
        let world = World::new().await;
        let shop = Shop::open(&world).await;
        let ask = async |cursor: &Value| {
            let cursor = cursor["next_cursor"].as_str().unwrap();
            let path = format!("/api/v1/changes?registry=gl&wait=25&cursor={cursor}");
            let page = tokio::time::timeout(GIVE_UP, world.get(&path)).await.unwrap();
            assert!(page.status.is_success(), "{:?}", page.json());
            page.json()
        };
        let now = world.get("/api/v1/changes?registry=gl&from=now").await.json();
        assert_eq!(now["ended"], false);
        let removed = world
            .ask(&world.admin, Method::DELETE, "/api/v1/registries/gl", None)
            .await;
        assert!(removed.status.is_success());
        if added_again {
            let url = "https://registry.example.com:5050";
            assert_ne!(world.registry("gl", url, "berlin-1").await, shop.registry);
            push(&world, &shop, &[("1.0", &shop.index)]).await;
        }
        let last = ask(&now).await;
        assert_eq!(told(&last), lines(&[("registry.removed", "gl")]));
        assert_eq!(
            last["items"][0]["data"]["registry"]["id"],
            shop.registry.to_string()
        );
        assert_eq!(last["ended"], true);
        // Also where the page is full with it, so that nobody has looked behind it.
        let from = now["next_cursor"].as_str().unwrap();
        let full = world
            .get(&format!("/api/v1/changes?limit=1&cursor={from}"))
            .await
            .json();
        assert_eq!((told(&full), &full["ended"]), (told(&last), &Value::Bool(true)));
        // A poll behind that does not wait for what cannot come.
        let nothing = ask(&last).await;
        assert_eq!(
            (told(&nothing), &nothing["ended"]),
            (Vec::new(), &Value::Bool(true))
        );
        if added_again {
            let new = world.get("/api/v1/changes?registry=gl").await.json();
            assert_eq!(told(&new)[0].1, "gl/acme/shop:1.0");
        }
    }
}
