//! Cut off at any call, a run ends as if nothing had happened.

use super::control_plane::Trouble;
use super::image;
use super::registry::{MemoryRegistry, Request};
use super::scene::{Scene, fetched};
use portolan_shared::model::{Digest, Reason, RunState};

fn scene() -> Scene {
    let mut scene = Scene::of(MemoryRegistry {
        page: 2,
        has_referrers: true,
        ..MemoryRegistry::default()
    });
    // Small batches, so that there are many places to be cut off at.
    scene.walk.pace.batch_bytes = 1_000;
    scene.walk.pace.repositories = 2;
    for n in 0..4 {
        let name = format!("r{n}");
        let (own, _) = scene.registry.image(&name, "own", &n.to_string());
        let (shared, _) = scene.registry.image(&name, "shared", "shared");
        scene
            .registry
            .tag(&name, "multi", &image::index(&[&own, &shared], &name));
        let signature = image::referrer(&own, "signature");
        scene.registry.add(&signature);
        scene.registry.refer(&own, &signature);
    }
    scene
        .registry
        .repositories
        .lock()
        .unwrap()
        .insert("empty".into(), Default::default());
    scene
}

fn stored(scene: &Scene) -> Vec<Digest> {
    let state = scene.control_plane.state();
    let mut stored: Vec<Digest> = state
        .manifests
        .keys()
        .chain(state.facts.keys())
        .cloned()
        .collect();
    stored.sort();
    stored
}

#[tokio::test]
async fn cut_off_at_any_call_the_next_attempt_ends_the_run_alike() {
    let undisturbed = scene();
    assert_eq!(undisturbed.run().await.0, RunState::Complete);
    let calls = undisturbed.control_plane.state().calls.len();
    assert!(calls > 15, "{calls}");
    let mut cut_off = 0;
    for trouble in (1..=calls).flat_map(|call| [Trouble::LostAt(call), Trouble::AnswerLostAt(call)]) {
        let mut scene = scene();
        *scene.control_plane.trouble.lock().unwrap() = trouble;
        if scene.attempt().await.is_ok() {
            // Calls are gathered differently from time to time: this one was never made.
            continue;
        }
        cut_off += 1;
        let before = stored(&scene);
        let committed = scene.control_plane.state().committed.clone();
        scene.registry.take_log();
        *scene.control_plane.trouble.lock().unwrap() = Trouble::None;
        scene.walk.resumed = true;
        assert_eq!(
            scene.attempt().await.unwrap().state,
            RunState::Complete,
            "{trouble:?}"
        );
        assert_eq!(scene.tag_sets(), undisturbed.tag_sets(), "{trouble:?}");
        assert_eq!(stored(&scene), stored(&undisturbed), "{trouble:?}");
        assert_eq!(scene.control_plane.state().repeats, 0, "{trouble:?}");
        let log = scene.registry.take_log();
        let again: Vec<Digest> = fetched(&log)
            .into_iter()
            .filter(|digest| before.contains(digest))
            .collect();
        assert_eq!(again, [], "{trouble:?}: what was stored is not fetched again");
        for name in committed {
            assert!(!log.contains(&Request::Tags(name, 0)), "{trouble:?}");
        }
    }
    assert!(cut_off > calls, "{cut_off} of {calls} calls, both ways");
}

#[tokio::test]
async fn a_refused_upload_ends_the_walk() {
    let scene = scene();
    *scene.control_plane.trouble.lock().unwrap() = Trouble::RefusedAt(3);
    let error = scene.attempt().await.unwrap_err();
    assert!(matches!(
        error,
        crate::inventory::UploadError::Refused {
            reason: Reason::ProtocolViolation,
            ..
        }
    ));
    assert_eq!(
        scene.control_plane.state().calls.len(),
        3,
        "nothing is sent afterwards"
    );
}
