//! Pausing and stopping.

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::FutureExt as _;
use portolan_shared::model::RunState;
use portolan_shared::process::{Clock as _, Uptime};

use super::image;
use super::scene::{ALWAYS, NEVER, Scene, fetched};

fn scene() -> Scene {
    let scene = Scene::new();
    for n in 0..20 {
        scene.registry.image(&format!("r{n}"), "1", &n.to_string());
    }
    scene
}

#[tokio::test]
async fn a_paused_walk_asks_nothing_and_goes_on_afterwards() {
    let scene = scene();
    scene.asks_until.send_replace(NEVER);
    let mut attempt = Box::pin(scene.attempt());
    for _ in 0..1_000 {
        assert!(attempt.as_mut().now_or_never().is_none());
        tokio::task::yield_now().await;
    }
    assert!(scene.registry.take_log().is_empty());
    scene.asks_until.send_replace(ALWAYS);
    assert_eq!(attempt.await.unwrap().state, RunState::Complete);
}

#[tokio::test]
async fn pausing_in_the_middle_lets_out_nothing_new() {
    let mut scene = scene();
    scene.walk.pace.requests = 4;
    let mut attempt = Box::pin(scene.attempt());
    while scene.registry.log.lock().unwrap().len() < 30 {
        assert!(attempt.as_mut().now_or_never().is_none());
        tokio::task::yield_now().await;
    }
    scene.asks_until.send_replace(NEVER);
    let before = scene.registry.log.lock().unwrap().len();
    for _ in 0..1_000 {
        assert!(attempt.as_mut().now_or_never().is_none());
        tokio::task::yield_now().await;
    }
    assert_eq!(scene.registry.log.lock().unwrap().len(), before);
    scene.asks_until.send_replace(ALWAYS);
    assert_eq!(attempt.await.unwrap().state, RunState::Complete);
}

#[tokio::test]
async fn t28_after_a_suspension_no_request_begins_before_a_new_verdict() {
    let mut scene = scene();
    scene.walk.pace.requests = 4;
    let in_seconds = |scene: &Scene, seconds| Uptime(scene.clock.uptime().0 + Duration::from_secs(seconds));
    scene.asks_until.send_replace(in_seconds(&scene, 50));
    let mut attempt = Box::pin(scene.attempt());
    while scene.registry.log.lock().unwrap().len() < 30 {
        assert!(attempt.as_mut().now_or_never().is_none());
        tokio::task::yield_now().await;
    }
    // SIGSTOP, and SIGCONT: the walk is polled first, and nobody has told it anything.
    scene.clock.advance(Duration::from_secs(70));
    let before = scene.registry.log.lock().unwrap().len();
    for _ in 0..1_000 {
        assert!(attempt.as_mut().now_or_never().is_none());
        tokio::task::yield_now().await;
    }
    assert_eq!(scene.registry.log.lock().unwrap().len(), before);
    scene.asks_until.send_replace(in_seconds(&scene, 50));
    assert_eq!(attempt.await.unwrap().state, RunState::Complete);
}

#[tokio::test]
async fn a_dropped_walk_asks_nothing_more() {
    let scene = scene();
    let mut attempt = Box::pin(scene.attempt());
    while scene.registry.log.lock().unwrap().len() < 30 {
        assert!(attempt.as_mut().now_or_never().is_none());
        tokio::task::yield_now().await;
    }
    drop(attempt);
    let before = scene.registry.log.lock().unwrap().len();
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
    assert_eq!(scene.registry.log.lock().unwrap().len(), before);
}

#[tokio::test]
async fn t40_while_the_control_plane_does_not_acknowledge_the_walk_waits_with_little_in_hand() {
    let mut scene = Scene::new();
    let (_, config) = image::image("config");
    let padding = "x".repeat(10_000);
    scene.registry.add(&config);
    for n in 0..1_000 {
        let image = image::manifest(
            &config,
            "application/vnd.oci.image.layer.v1.tar",
            &format!("{n}{padding}"),
        );
        scene
            .registry
            .tag(&format!("r{}", n % 10), &format!("t{n}"), &image);
    }
    scene.walk.pace.held_bytes = 200_000;
    scene.control_plane.stalled.store(true, Ordering::SeqCst);
    let mut attempt = Box::pin(scene.attempt());
    let (mut asked, mut quiet) = (0, 0);
    while quiet < 1_000 {
        assert!(attempt.as_mut().now_or_never().is_none());
        tokio::task::yield_now().await;
        let now = scene.registry.log.lock().unwrap().len();
        quiet = if now == asked { quiet + 1 } else { 0 };
        asked = now;
    }
    let in_hand = fetched(&scene.registry.log.lock().unwrap()).len();
    assert!((10..=25).contains(&in_hand), "{in_hand}");
    scene.control_plane.stalled.store(false, Ordering::SeqCst);
    let walked = attempt.await.unwrap();
    assert_eq!(walked.state, RunState::Complete);
    assert!(walked.held_bytes < 250_000, "{}", walked.held_bytes);
}
