//! Senders that take their time. The time is tokio's, which passes at once while nobody in this process has anything to do: also while the machine
//! still carries a packet from one to the other, so that what is sent in time is sent until it arrives so.

use portolan_shared::model::limits::NOTIFICATION_BYTES;

use super::certificates::Authority;
use super::scene::{Request, Scene, Wire, scene, scene_with};
use tokio::net::TcpStream;

/// A connection over which a request was answered.
async fn answered(scene: &Scene) -> Wire<TcpStream> {
    loop {
        let mut wire = scene.connect().await;
        if wire.ask(&Request::genuine().bytes()).await.0.contains(" 200 ") {
            return wire;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_does_not_end_a_header_is_left() {
    let scene = scene().await;
    let mut silent = scene.connect().await;
    assert!(silent.closed().await);
    let mut slow = scene.connect().await;
    slow.write(b"POST /notify/distribution HTTP/1.1\r\nHost: h\r\nX-")
        .await;
    let rest = slow.answer().await.0;
    assert!(rest.is_empty() || rest.contains("408"), "{rest}");
    answered(&scene).await;
    scene.end().await;
}

#[tokio::test(start_paused = true)]
async fn whoever_does_not_end_a_body_is_told_so_and_left() {
    let scene = scene().await;
    let whole = Request::genuine().bytes();
    let (mut slow, answer) = loop {
        let mut slow = scene.connect().await;
        let answer = slow.ask(&whole[..whole.len() - 1]).await;
        if !answer.0.is_empty() {
            break (slow, answer);
        }
    };
    assert_eq!(answer.status(), 408);
    assert!(slow.closed().await);
    assert_eq!(
        scene.notifier("distribution").last_refused.as_deref(),
        Some("body")
    );
    assert!(scene.told().is_empty());
    scene.end().await;
}

#[tokio::test(start_paused = true)]
async fn whoever_says_nothing_more_is_left_and_may_come_again() {
    let scene = scene().await;
    let mut wire = answered(&scene).await;
    assert!(wire.closed().await);
    answered(&scene).await;
    scene.end().await;
}

#[tokio::test(start_paused = true)]
async fn whoever_asks_without_listening_is_left_in_the_end() {
    let scene = scene().await;
    let mut wire = scene.connect().await;
    let requests = Request::to("/notify/nowhere")
        .with_body(" ".repeat(60_000))
        .bytes();
    assert!(requests.len() < NOTIFICATION_BYTES);
    let mut sent = 0_usize;
    loop {
        use tokio::io::AsyncWriteExt as _;
        match wire.0.write(&requests).await {
            Ok(bytes) => sent += bytes,
            Err(_) => break,
        }
    }
    assert!(sent > 0);
    answered(&scene).await;
    scene.end().await;
}

#[tokio::test(start_paused = true)]
async fn whoever_does_not_end_a_tls_handshake_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let files = Authority::new().issue(folder.path());
    let scene = scene_with(folder, Some(files)).await.unwrap();
    let mut silent = scene.connect().await;
    assert!(silent.closed().await);
    let mut slow = scene.connect().await;
    slow.write(&[22, 3, 1, 2, 0, 1]).await;
    assert!(slow.closed().await);
    scene.end().await;
}

#[tokio::test]
async fn whoever_is_in_the_middle_of_something_holds_up_no_shutdown() {
    let folder = tempfile::tempdir().unwrap();
    let files = Authority::new().issue(folder.path());
    let encrypted = scene_with(folder, Some(files)).await.unwrap();
    let scene = scene().await;
    let _handshake = encrypted.connect().await;
    let mut body = scene.connect().await;
    let head =
        "POST /notify/distribution HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n";
    assert_eq!(body.ask(head.as_bytes()).await.status(), 100);
    scene.end().await;
    encrypted.end().await;
    assert!(body.closed().await);
}
