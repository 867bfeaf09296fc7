//! Stopping in good order, and starting after a start that was interrupted.

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
    assert!(app.authenticate(unread.trim()).await.is_err());
    let read = std::fs::read_to_string(&path).unwrap();
    app.authenticate(read.trim()).await.unwrap();

    scene.restart().await;
    assert_eq!(std::fs::read_to_string(&path).unwrap(), read, "once is enough");
    scene.app().authenticate(read.trim()).await.unwrap();
}
