//! The change feed as a stream of server-sent events, over real sockets.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::http::Method;
use portolan::app::{FeedStart, ReaderEnd};
use portolan_shared::model::limits;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::changes::push;
use crate::changes_waiting::fill;
use crate::desk::Desk;
use crate::shop::Shop;
use crate::world::World;

/// How long anything may take before a test gives up: less than what is waited for in vain.
const GIVE_UP: Duration = Duration::from_secs(60);

/// Somebody who reads a stream.
struct Reader {
    socket: TcpStream,
    text: String,
    read: usize,
}

/// What the stream said: event, id, data.
#[derive(Debug)]
struct Said {
    event: String,
    id: String,
    data: String,
}

impl Said {
    fn told(&self) -> (String, String) {
        let event: Value = serde_json::from_str(&self.data).unwrap();
        let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
        (text("type"), text("subject"))
    }
}

impl Reader {
    async fn open(desk: &Desk, token: &str, query: &str, last: Option<&str>) -> Self {
        let url = desk.environment.url.as_deref().unwrap();
        let socket = TcpSocket::new_v4().unwrap();
        // What nobody reads waits in the kernel: here not much of it.
        socket.set_recv_buffer_size(16 * 1_024).unwrap();
        let address = url.trim_start_matches("http://").parse().unwrap();
        let mut socket = socket.connect(address).await.unwrap();
        let last = last.map_or_else(String::new, |id| format!("Last-Event-ID: {id}\r\n"));
        let head = format!(
            "GET /api/v1/changes{query} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nAccept: text/event-stream\r\n{last}\r\n"
        );
        socket.write_all(head.as_bytes()).await.unwrap();
        Self {
            socket,
            text: String::new(),
            read: 0,
        }
    }

    /// After how many milliseconds it may be opened again.
    fn retry(&self) -> u64 {
        let mut lines = self.text.lines();
        lines
            .find_map(|line| line.strip_prefix("retry: "))
            .unwrap()
            .parse()
            .unwrap()
    }

    /// Reads more; gives whether there was some.
    async fn more(&mut self) -> bool {
        let mut bytes = [0; 4_096];
        let read = self.socket.read(&mut bytes).await.unwrap_or(0);
        self.text.push_str(std::str::from_utf8(&bytes[..read]).unwrap());
        read > 0
    }

    /// The next thing that is said; none at the end. Chunks of HTTP/1.1 end where messages do.
    async fn next(&mut self) -> Option<Said> {
        loop {
            while let Some(end) = self.text[self.read..].find("\n\n") {
                let block = self.text[self.read..self.read + end].to_owned();
                self.read += end + 2;
                let field = |name: &str| {
                    let lines = block.lines().filter_map(|line| line.strip_prefix(name));
                    lines.map(str::trim).collect::<Vec<_>>().join("\n")
                };
                let said = Said {
                    event: field("event:"),
                    id: field("id:"),
                    data: field("data:"),
                };
                if !said.data.is_empty() {
                    return Some(said);
                }
            }
            // The last chunk has no length.
            if self.text.ends_with("\r\n0\r\n\r\n") || !self.more().await {
                return None;
            }
        }
    }
}

#[tokio::test]
async fn a_stream_tells_what_happens_and_goes_on_where_it_was_cut() {
    let world = World::new().await;
    let shop = Shop::open(&world).await;
    let desk = Desk::open(&world).await;
    let mut reader = Reader::open(&desk, &world.viewer, "", None).await;
    let mut told = Vec::new();
    for _ in 0..3 {
        told.push(reader.next().await.unwrap());
    }
    assert!(reader.text.starts_with("HTTP/1.1 200 OK\r\n"), "{}", reader.text);
    assert!(reader.text.contains("content-type: text/event-stream\r\n"));
    assert!(reader.text.contains("x-accel-buffering: no\r\n"));
    assert!((1_000..=5_000).contains(&reader.retry()), "{}", reader.text);
    let kinds: Vec<_> = told.iter().map(|said| said.told().0).collect();
    let present = "io.portolan.tag.present";
    assert_eq!(kinds, [present, present, "io.portolan.baseline.complete"]);
    push(&world, &shop, &[("1.0", &shop.index), ("2.0", &shop.image)]).await;
    let first = reader.next().await.unwrap();
    assert_eq!(first.told().1, "gl/acme/shop:1.0");
    drop(reader);
    // Somebody who goes on behind each of what they had.
    for (i, had) in told.iter().chain([&first]).enumerate() {
        let mut again = Reader::open(&desk, &world.viewer, "?from=start", Some(&had.id)).await;
        let mut rest = Vec::new();
        for _ in i + 1..5 {
            rest.push(again.next().await.unwrap().told());
        }
        assert_eq!(rest.last().unwrap().1, "gl/acme/shop:2.0", "behind {i}");
        assert_eq!(rest.len(), 4 - i);
    }
}

#[tokio::test]
async fn a_stream_from_now_on_says_at_once_that_it_is_open_and_where() {
    let world = World::new().await;
    let shop = Shop::open(&world).await;
    let desk = Desk::open(&world).await;
    let mut reader = Reader::open(&desk, &world.viewer, "?from=now&registry=gl", None).await;
    let begin = reader.next().await.unwrap();
    assert_eq!(begin.event, "begin");
    push(&world, &shop, &[("1.0", &shop.index), ("2.0", &shop.image)]).await;
    let mut again = Reader::open(&desk, &world.viewer, "?registry=gl", Some(&begin.id)).await;
    for reader in [&mut reader, &mut again] {
        for subject in ["gl/acme/shop:1.0", "gl/acme/shop:2.0"] {
            assert_eq!(reader.next().await.unwrap().told().1, subject);
        }
    }
}

#[tokio::test]
async fn a_stream_that_cannot_begin_is_an_error_like_any_other() {
    let world = World::new().await;
    let desk = Desk::open(&world).await;
    for (token, last, status) in [
        (world.viewer.as_str(), Some("nonsense"), "422"),
        (world.viewer.as_str(), Some("MSBjaGFuZ2VzIDQy"), "410"),
        ("nobody", None, "401"),
    ] {
        let mut reader = Reader::open(&desk, token, "", last).await;
        assert!(reader.more().await);
        assert!(
            reader.text.starts_with(&format!("HTTP/1.1 {status} ")),
            "{}",
            reader.text
        );
    }
    let viewer = world.app.authenticate(&world.viewer, None).await.unwrap();
    let readers: Vec<_> = (0..limits::FEED_READERS_PER_TOKEN)
        .map(|_| world.app.enter_feed(&viewer).unwrap())
        .collect();
    let mut reader = Reader::open(&desk, &world.viewer, "", None).await;
    assert!(reader.more().await);
    assert!(reader.text.starts_with("HTTP/1.1 429 "), "{}", reader.text);
    drop(readers);
}

#[tokio::test]
async fn a_stream_ends_when_its_token_is_revoked_and_when_it_is_old() {
    let world = World::new().await;
    let desk = Desk::open(&world).await;
    let made = world
        .post(
            "/api/v1/tokens",
            serde_json::json!({"name": "short", "role": "viewer"}),
        )
        .await
        .json();
    let token = made["token"].as_str().unwrap();
    let mut revoked = Reader::open(&desk, token, "?from=now", None).await;
    let mut old = Reader::open(&desk, &world.viewer, "?from=now", None).await;
    assert_eq!(revoked.next().await.unwrap().event, "begin");
    assert_eq!(old.next().await.unwrap().event, "begin");
    let path = format!("/api/v1/tokens/{}", made["id"].as_str().unwrap());
    let answer = world.ask(&world.admin, Method::DELETE, &path, None).await;
    assert!(answer.status.is_success());
    world.clock.advance(Duration::from_secs(15));
    let end = revoked.next().await.unwrap();
    assert_eq!(
        (end.event.as_str(), end.data.as_str()),
        ("end", r#"{"reason":"token"}"#)
    );
    assert!(revoked.next().await.is_none());
    world
        .clock
        .advance(Duration::from_secs(limits::FEED_STREAM_MINUTES * 60));
    let end = old.next().await.unwrap();
    assert_eq!(
        (end.event.as_str(), end.data.as_str()),
        ("end", r#"{"reason":"age"}"#)
    );
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "the test's task ends with its runtime")]
async fn streams_and_polls_end_when_the_control_plane_drains() {
    let world = World::new().await;
    let desk = Desk::open(&world).await;
    let app = std::sync::Arc::clone(&world.app);
    tokio::spawn(app.end_feed_readers(desk.shutdown.clone()));
    let mut reader = Reader::open(&desk, &world.viewer, "?from=now", None).await;
    assert_eq!(reader.next().await.unwrap().event, "begin");
    let viewer = world.app.authenticate(&world.viewer, None).await.unwrap();
    let now = world
        .app
        .feed_cursor(&viewer, FeedStart::Now, None)
        .await
        .unwrap();
    let hour = Duration::from_secs(3_600);
    let poll = tokio::time::timeout(GIVE_UP, world.app.poll_feed(&viewer, &now, 9, hour));
    let drained = async {
        desk.shutdown.start_drain();
        let end = tokio::time::timeout(GIVE_UP, reader.next()).await;
        let end = end.expect("it streams on").unwrap();
        assert_eq!(
            (end.event.as_str(), end.data.as_str()),
            ("end", r#"{"reason":"draining"}"#)
        );
        assert!(reader.next().await.is_none(), "and the connection with it");
    };
    let (poll, ()) = futures::join!(poll, drained);
    let page = poll.expect("it waits on").unwrap();
    assert!(page.items.is_empty() && page.next == now);
}

#[tokio::test]
async fn a_reader_that_does_not_read_is_cut_and_keeps_nobody() {
    let world = World::new().await;
    let shop = Shop::open(&world).await;
    // More than the kernel takes for a reader that does not read.
    let most = std::fs::read_to_string("/proc/sys/net/ipv4/tcp_wmem").unwrap();
    let most: usize = most.split_whitespace().last().unwrap().parse().unwrap();
    fill(&world, &shop, most / 1_000).await;
    let desk = Desk::open(&world).await;
    let mut stalled = Reader::open(&desk, &world.viewer, "", None).await;
    assert!(stalled.more().await);
    let mut reader = Reader::open(&desk, &world.viewer, "", None).await;
    while reader.next().await.unwrap().told().0 != "io.portolan.baseline.complete" {}
    assert!(reader.text.len() > most, "{}", reader.text.len());
    let url = "https://other.example.com";
    world.registry("other", url, "berlin-1").await;
    let path = "/api/v1/registries/other";
    let removed = world.ask(&world.admin, Method::DELETE, path, None).await;
    assert!(removed.status.is_success());
    assert_eq!(reader.next().await.unwrap().told().1, "other");
    desk.shutdown.start_drain();
    desk.shutdown.start_cut();
    while stalled.more().await {}
    assert!(
        !stalled.text.contains("io.portolan.baseline.complete"),
        "it had it all: the socket was never full"
    );
}

#[tokio::test]
async fn a_removed_registry_ends_its_streams_for_good() {
    let world = World::new().await;
    Shop::open(&world).await;
    let desk = Desk::open(&world).await;
    let mut reader = Reader::open(&desk, &world.viewer, "?from=now&registry=gl", None).await;
    let begin = reader.next().await.unwrap();
    assert_eq!(begin.event, "begin");
    let removed = world
        .ask(&world.admin, Method::DELETE, "/api/v1/registries/gl", None)
        .await;
    assert!(removed.status.is_success());
    world
        .registry("gl", "https://another.example.com", "berlin-1")
        .await;
    // Whoever was away is told the same as whoever was not.
    let mut away = Reader::open(&desk, &world.viewer, "?from=now&registry=gl", Some(&begin.id)).await;
    for reader in [&mut reader, &mut away] {
        let last = reader.next().await.unwrap();
        assert_eq!(last.told().0, "io.portolan.registry.removed");
        let end = reader.next().await.unwrap();
        assert_eq!(
            (end.event.as_str(), end.data.as_str()),
            ("end", r#"{"reason":"removed"}"#)
        );
        assert!(reader.next().await.is_none());
        let mut again = Reader::open(&desk, &world.viewer, "?from=now&registry=gl", Some(&last.id)).await;
        assert!(again.more().await);
        assert!(again.text.starts_with("HTTP/1.1 204 "), "{}", again.text);
    }
}

#[tokio::test]
async fn streams_are_not_all_opened_again_at_once() {
    let world = World::new().await;
    let desk = Desk::open(&world).await;
    let mut retries = BTreeSet::new();
    for _ in 0..8 {
        let mut reader = Reader::open(&desk, &world.viewer, "?from=now", None).await;
        assert_eq!(reader.next().await.unwrap().event, "begin");
        retries.insert(reader.retry());
    }
    assert!(retries.len() > 1, "{retries:?}");
    let admin = world.app.authenticate(&world.admin, None).await.unwrap();
    let readers: Vec<_> = (0..limits::FEED_READERS_PER_TOKEN)
        .map(|_| world.app.enter_feed(&admin).unwrap())
        .collect();
    world
        .clock
        .advance(Duration::from_secs(limits::FEED_STREAM_MINUTES * 54));
    let mut old = 0;
    for mut reader in readers {
        old += usize::from(reader.end(&world.app).await == Some(ReaderEnd::Age));
    }
    assert!(
        (1..limits::FEED_READERS_PER_TOKEN).contains(&old),
        "{old} end at once"
    );
}
