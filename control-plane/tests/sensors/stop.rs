//! Stopping in good order, and starting after a start that was interrupted.

use std::time::Duration;

use portolan_proto::v1::control_message::Body;
use portolan_shared::model::Reason;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::scene::Scene;
use crate::sensor::Sensor;
use crate::session::{hello, open};

#[tokio::test]
async fn sessions_are_sent_elsewhere_then_ended_and_nothing_is_left() {
    let mut scene = Scene::new().await;
    let sensor = Sensor::enrol(&scene, "berlin").await;
    let mut session = open(&scene, &sensor).await;
    session.hello(hello(&[])).await;
    let told = async {
        let first = session.body().await;
        assert!(matches!(first, Body::Drain(_)), "{first:?}");
        session.end().await
    };
    let (well, reason) = futures::join!(scene.stop(), told);
    assert!(well, "every task has ended well");
    assert_eq!(reason, Some(Reason::Draining));
}

/// Somebody who asks for the change feed as a stream.
struct Follower {
    socket: TcpStream,
    heard: String,
}

impl Follower {
    async fn open(scene: &Scene) -> Self {
        let control_plane = scene.control_plane();
        let token = std::fs::read_to_string(control_plane.admin_token_path()).unwrap();
        let mut socket = TcpStream::connect(control_plane.bound().http).await.unwrap();
        let asked = format!(
            "GET /api/v1/changes HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nAccept: text/event-stream\r\n\r\n",
            token.trim()
        );
        socket.write_all(asked.as_bytes()).await.unwrap();
        let heard = String::new();
        Self { socket, heard }
    }

    /// Reads on until this is said, or nothing more comes.
    async fn hears(&mut self, word: &str) {
        let mut bytes = [0; 1_024];
        while !self.heard.contains(word) {
            match self.socket.read(&mut bytes).await {
                Ok(read @ 1..) => self.heard.push_str(std::str::from_utf8(&bytes[..read]).unwrap()),
                Ok(0) | Err(_) => break,
            }
        }
    }
}

/// Also where no sensor has to be waited for.
#[tokio::test]
async fn whoever_follows_the_changes_is_told_that_the_control_plane_stops() {
    let mut scene = Scene::new().await;
    let mut follower = Follower::open(&scene).await;
    follower.hears("retry: ").await;
    // The last chunk of the answer: it has come to its end.
    let (well, ()) = futures::join!(scene.stop(), follower.hears("\r\n0\r\n\r\n"));
    assert!(well, "every task has ended well");
    let end = "event: end\ndata: {\"reason\":\"draining\"}\n\n\r\n0\r\n\r\n";
    assert!(follower.heard.ends_with(end), "{}", follower.heard);
}

#[tokio::test]
async fn a_first_start_that_was_interrupted_makes_another_admin_token() {
    let mut scene = Scene::new().await;
    let path = scene.control_plane().admin_token_path();
    let unread = std::fs::read_to_string(&path).unwrap();
    // As if the process had ended between storing the token and writing its file.
    std::fs::remove_file(&path).unwrap();
    std::fs::write(scene.folder.path().join("data/first-start"), "").unwrap();
    scene.restart().await;
    let app = scene.app();
    assert!(app.authenticate(unread.trim(), None).await.is_err());
    let read = std::fs::read_to_string(&path).unwrap();
    app.authenticate(read.trim(), None).await.unwrap();

    scene.restart().await;
    assert_eq!(std::fs::read_to_string(&path).unwrap(), read, "once is enough");
    scene.app().authenticate(read.trim(), None).await.unwrap();
}

#[tokio::test]
async fn a_start_tells_of_authorities_that_the_log_does_not_know_and_of_no_others() {
    let mut scene = Scene::new().await;
    let of_authorities = async |scene: &Scene| {
        let mut actions: Vec<_> = scene
            .audit()
            .await
            .into_iter()
            .map(|entry| entry.action)
            .collect();
        actions.retain(|action| action.starts_with("ca."));
        actions.sort_unstable();
        actions
    };
    let first = ["ca.issuing", "ca.issuing", "ca.root", "ca.root"];
    assert_eq!(of_authorities(&scene).await, first);
    scene.restart().await;
    assert_eq!(of_authorities(&scene).await, first);
    scene.clock.advance(Duration::from_secs(50 * 86_400));
    scene.restart().await;
    let replaced = ["ca.issuing_replaced"; 2];
    let all: Vec<_> = [&first[..2], &replaced, &first[2..]].concat();
    assert_eq!(of_authorities(&scene).await, all);
}
