//! How old is what is told: a listing may take hours, and what it saw first is as old as its beginning.

use std::time::Duration;

use futures::FutureExt as _;
use portolan_shared::model::RunState;
use portolan_shared::process::{Clock as _, Uptime};

use super::references::{head, list};
use super::registry::Request;
use super::scene::Scene;

const HOUR: Duration = Duration::from_secs(3_600);

/// Runs, with an hour in which the registry does not answer this request; gives when it was asked.
async fn hour_at(scene: &Scene, slow: &Request) -> Uptime {
    scene.control_plane.new_run();
    scene.registry.take_log();
    let asked = scene.clock.uptime();
    scene.registry.stalled.lock().unwrap().insert(slow.clone());
    let mut attempt = Box::pin(scene.attempt());
    while !scene.registry.log.lock().unwrap().contains(slow) {
        assert!(attempt.as_mut().now_or_never().is_none());
        tokio::task::yield_now().await;
    }
    scene.clock.advance(HOUR);
    scene.registry.stalled.lock().unwrap().clear();
    assert_eq!(attempt.await.unwrap().state, RunState::Complete);
    assert_eq!(scene.clock.uptime().since(asked), HOUR);
    asked
}

#[tokio::test]
async fn a_commit_an_offer_and_a_look_say_when_the_look_began() {
    let mut scene = Scene::new();
    for tag in ["1", "2"] {
        scene.registry.image("r", tag, tag);
    }
    let began = |scene: &Scene| scene.control_plane.state().began["r"];
    let calls = |scene: &Scene| {
        let calls = std::mem::take(&mut scene.control_plane.state().calls);
        calls.into_iter().map(|(call, _)| call).collect::<Vec<_>>()
    };
    for slow in [list("r"), head("r", "2")] {
        scene.control_plane.state().repositories.clear();
        assert_eq!(hour_at(&scene, &slow).await, began(&scene), "{slow:?}");
        assert!(calls(&scene).contains(&"commit"));
    }
    assert_eq!(hour_at(&scene, &head("r", "2")).await, began(&scene));
    assert_eq!(calls(&scene), ["offer repositories", "close"], "unchanged");
    scene.scope(&["r:1"]);
    assert_eq!(hour_at(&scene, &head("r", "1")).await, began(&scene));
    assert!(calls(&scene).contains(&"commit"));
}
