//! Stopping in good order, and starting after a start that was interrupted.

use std::time::Duration;

use portolan_proto::v1::control_message::Body;
use portolan_shared::model::Reason;

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
