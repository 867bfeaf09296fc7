//! What lies deeper than is read from one tag, and not from another.

use portolan_shared::model::{FindingCode, RunState, limits};

use super::control_plane::Stored;
use super::image::{self, Blob};
use super::registry::{MemoryRegistry, Request};
use super::scene::{Scene, fetched, has_repeats};
use crate::inventory::Failure;

/// An image and one index more than is read above it, the outermost first; none has a tag.
fn chain(scene: &Scene) -> Vec<Blob> {
    let (image, config) = image::image("innermost");
    let mut chain = vec![image];
    for level in 0..=limits::INDEX_DEPTH {
        chain.push(image::index(&[chain.last().unwrap()], &format!("level {level}")));
    }
    for blob in chain.iter().chain([&config]) {
        scene.registry.add(blob);
    }
    chain.reverse();
    chain
}

#[tokio::test]
async fn a_tag_on_an_inner_index_has_read_what_was_too_deep_below_the_outer_one() {
    let scene = Scene::new();
    let chain = chain(&scene);
    scene.registry.tag("outer", "1", &chain[0]);
    assert_eq!(scene.run().await.0, RunState::Complete);
    let innermost = &chain.last().unwrap().digest;
    let too_deep = Some(Stored::Unavailable(FindingCode::ManifestTooDeep));
    assert_eq!(scene.manifest(innermost), too_deep);

    scene.registry.tag("inner", "1", &chain[limits::INDEX_DEPTH]);
    let (state, log) = scene.run().await;
    assert_eq!(state, RunState::Complete);
    assert_eq!(scene.manifest(innermost), Some(Stored::Whole));
    let outermost = &chain[0].digest;
    assert!(!fetched(&log).contains(outermost), "its tag has not changed");
}

#[tokio::test]
async fn tags_at_every_level_of_one_repository_are_whole_whichever_comes_first() {
    for window in [1, 8] {
        for reversed in [false, true] {
            let mut scene = Scene::new();
            scene.walk.pace.manifests_of_repository = window;
            let mut chain = chain(&scene);
            if reversed {
                chain.reverse();
            }
            for (n, blob) in chain.iter().enumerate() {
                scene.registry.tag("r", &format!("t{n}"), blob);
            }
            let (state, log) = scene.run().await;
            assert_eq!(state, RunState::Complete);
            for blob in &chain {
                assert_eq!(scene.manifest(&blob.digest), Some(Stored::Whole));
            }
            let most = chain.len() * (limits::INDEX_DEPTH + 1);
            assert!(fetched(&log).len() <= most, "each once from every depth at most");
            assert_eq!(fetched(&scene.run().await.1), []);
        }
    }
}

/// A tagged index that is also met below a referrer of its own image, where it lies too deep: what is said of it there is nothing that
/// stands in the way of reading it where it is tagged, this time or another.
#[tokio::test]
async fn what_a_referrer_names_too_deep_is_read_where_a_tag_names_it() {
    let scene = Scene::of(MemoryRegistry {
        has_referrers: true,
        ..MemoryRegistry::default()
    });
    let (image, config) = image::image("image");
    let empty = image::index(&[], "empty");
    let inner = image::index(&[&image], "inner");
    let outer = image::index(&[&inner, &empty], "outer");
    let around = image::index(&[&outer], "around");
    for blob in [&image, &config, &empty, &inner, &around] {
        scene.registry.add(blob);
    }
    scene.registry.tag("r", "1", &outer);
    scene.registry.refer(&image, &around);
    let referrers = Request::Referrers(empty.digest.clone());
    scene
        .registry
        .fail(referrers, Failure::Passing, FindingCode::Unavailable);
    assert_eq!(scene.run().await.0, RunState::Partial);
    assert_eq!(scene.manifest(&outer.digest), Some(Stored::Incomplete));

    scene.registry.heal();
    let (state, log) = scene.run().await;
    assert_eq!(state, RunState::Complete);
    for blob in [&image, &empty, &inner, &outer] {
        assert_eq!(scene.manifest(&blob.digest), Some(Stored::Whole));
    }
    assert!(!has_repeats(&fetched(&log)));
    assert_eq!(fetched(&scene.run().await.1), []);
}
