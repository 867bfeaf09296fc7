//! Referrers, whatever the registry says they are.

use portolan_shared::model::{FindingCode, RepositoryOutcome, RunState};

use super::control_plane::Stored;
use super::image;
use super::registry::{MemoryRegistry, Request};
use super::scene::{Scene, fetched, has_repeats};
use crate::inventory::Failure;

fn scene() -> Scene {
    Scene::of(MemoryRegistry {
        has_referrers: true,
        ..MemoryRegistry::default()
    })
}

#[tokio::test]
async fn referrers_are_stored_before_what_they_refer_to() {
    let scene = scene();
    let (image, _) = scene.registry.image("r", "1", "image");
    let index = image::index(&[&image], "index");
    scene.registry.tag("r", "2", &index);
    let (sbom, signature) = (
        image::referrer(&image, "sbom"),
        image::referrer(&index, "signature"),
    );
    let of_signature = image::referrer(&signature, "about the signature");
    for (subject, referrer) in [(&image, &sbom), (&index, &signature), (&signature, &of_signature)] {
        scene.registry.add(referrer);
        scene.registry.refer(subject, referrer);
    }
    let (state, log) = scene.run().await;
    assert_eq!(state, RunState::Complete);
    let order = scene.control_plane.state().order.clone();
    let place = |blob: &image::Blob| order.iter().position(|digest| *digest == blob.digest).unwrap();
    assert!(place(&of_signature) < place(&signature) && place(&signature) < place(&index));
    assert!(place(&sbom) < place(&image) && place(&image) < place(&index));
    assert!(!has_repeats(&fetched(&log)));
    let (_, log) = scene.run().await;
    assert!(!log.iter().any(|request| matches!(request, Request::Referrers(_))));
}

#[tokio::test]
async fn a_registry_without_the_api_is_asked_once() {
    let scene = Scene::new();
    for n in 0..50 {
        scene.registry.image(&format!("r{n}"), "1", &n.to_string());
    }
    let (state, log) = scene.run().await;
    assert_eq!(state, RunState::Complete);
    let asked = log
        .iter()
        .filter(|request| matches!(request, Request::Referrers(_)))
        .count();
    assert_eq!(asked, 1);
}

#[tokio::test]
async fn referrers_that_go_in_circles_are_followed_to_an_end() {
    let scene = scene();
    let (a, _) = scene.registry.image("r", "a", "a");
    let (b, _) = scene.registry.image("s", "b", "b");
    let index = image::index(&[&a, &b], "index");
    scene.registry.tag("r", "index", &index);
    scene.registry.tag("s", "index", &index);
    let around = image::index(&[&a], "refers to what it lists");
    scene.registry.add(&around);
    // A registry may say anything.
    for (subject, referrer) in [
        (&a, &index),
        (&a, &a),
        (&a, &b),
        (&b, &a),
        (&b, &index),
        (&a, &around),
        (&index, &around),
    ] {
        scene.registry.refer(subject, referrer);
    }
    let (state, _) = scene.run().await;
    assert_eq!(state, RunState::Complete);
    for blob in [&a, &b, &index, &around] {
        assert_eq!(scene.manifest(&blob.digest), Some(Stored::Whole));
    }
}

#[tokio::test]
async fn referrers_that_cannot_be_listed_leave_the_subject_incomplete() {
    let scene = scene();
    let (first, _) = scene.registry.image("a", "1", "first");
    scene.registry.image("b", "1", "second");
    scene.registry.fail(
        Request::Referrers(first.digest.clone()),
        Failure::Passing,
        FindingCode::Unavailable,
    );
    assert_eq!(scene.run().await.0, RunState::Partial);
    assert_eq!(scene.manifest(&first.digest), Some(Stored::Incomplete));
    assert_eq!(
        scene.committed("a"),
        Some((RepositoryOutcome::Incomplete, Some(FindingCode::Unavailable)))
    );
    scene.registry.heal();
    assert_eq!(scene.run().await.0, RunState::Complete);
    assert_eq!(scene.manifest(&first.digest), Some(Stored::Whole));
}
