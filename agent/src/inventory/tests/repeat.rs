//! The second run, and bounds of what is in hand.

use portolan_shared::model::{RunState, limits};
use serde_json::json;

use super::image::{self, Blob};
use super::registry::{MemoryRegistry, Request};
use super::scene::{Scene, fetched, has_repeats};

#[tokio::test]
async fn a_second_run_fetches_nothing_and_offers_one_line_a_repository() {
    let scene = Scene::new();
    for n in 0..150 {
        for tag in 0..3 {
            scene
                .registry
                .image(&format!("r{n}"), &format!("t{tag}"), &format!("{n}/{tag}"));
        }
    }
    assert_eq!(scene.run().await.0, RunState::Complete);
    let (state, log) = scene.run().await;
    assert_eq!(state, RunState::Complete);
    assert_eq!(fetched(&log), []);
    let heads = log
        .iter()
        .filter(|request| matches!(request, Request::Resolve(..)))
        .count();
    assert_eq!(heads, 450);
    let calls = scene.control_plane.state().calls.clone();
    assert!(
        calls
            .iter()
            .all(|(name, _)| matches!(*name, "offer repositories" | "close")),
        "{calls:?}"
    );
    let offered: usize = calls
        .iter()
        .filter(|(name, _)| *name == "offer repositories")
        .map(|(_, items)| items)
        .sum();
    assert_eq!(offered, 150);
    assert!(calls.len() < 100, "offers are gathered: {}", calls.len());
}

#[tokio::test]
async fn a_moved_tag_costs_what_is_new_in_it() {
    let scene = Scene::new();
    let (old, config) = scene.registry.image("a", "latest", "old");
    scene.registry.image("b", "latest", "other");
    scene.run().await;
    // The same config in a manifest of its own.
    let moved = image::manifest(&config, "application/vnd.oci.image.layer.v1.tar", "moved");
    scene.registry.tag("a", "latest", &moved);
    scene.registry.tag("a", "previous", &old);
    let (state, log) = scene.run().await;
    assert_eq!(state, RunState::Complete);
    assert_eq!(fetched(&log), [moved.digest]);
    assert_eq!(scene.tag_sets(), scene.true_tag_sets());
}

#[tokio::test]
async fn what_an_earlier_attempt_committed_is_not_even_listed() {
    let mut scene = Scene::new();
    for n in 0..5 {
        scene.registry.image(&format!("r{n}"), "1", &n.to_string());
    }
    scene.run().await;
    scene.registry.take_log();
    scene.walk.resumed = true;
    scene.control_plane.state().committed.remove("r3");
    let walked = scene.attempt().await.unwrap();
    assert_eq!(walked.state, RunState::Complete);
    let log = scene.registry.take_log();
    assert!(log.contains(&Request::Tags("r3".into(), 0)));
    assert!(
        !log.iter()
            .any(|request| matches!(request, Request::Tags(name, _) if name != "r3"))
    );
    assert_eq!(scene.progress.borrow().repositories_done, 5);
}

#[tokio::test]
async fn bytes_in_hand_stay_within_their_bound() {
    let mut scene = Scene::new();
    let padding = "x".repeat(50_000);
    let mut largest = 0;
    for n in 0..200 {
        let (_, config) = image::image(&n.to_string());
        let image = image::manifest(
            &config,
            "application/vnd.oci.image.layer.v1.tar",
            &format!("{n}{padding}"),
        );
        largest = largest.max(image.bytes.len());
        scene.registry.add(&config);
        scene
            .registry
            .tag(&format!("r{}", n % 20), &format!("t{n}"), &image);
    }
    scene.walk.pace.held_bytes = 300_000;
    scene.control_plane.new_run();
    let walked = scene.attempt().await.unwrap();
    assert_eq!(walked.state, RunState::Complete);
    assert!(walked.held_bytes <= 300_000 + largest, "{}", walked.held_bytes);
    assert!(
        walked.held_bytes > 200_000,
        "the bound was of consequence: {}",
        walked.held_bytes
    );
}

#[tokio::test]
async fn a_walk_with_hardly_any_room_still_ends() {
    let mut scene = Scene::new();
    for n in 0..20 {
        let (image, config) = image::image(&format!("image {n}"));
        let inner = image::index(&[&image], &format!("inner {n}"));
        let outer = image::index(&[&inner, &image], &format!("outer {n}"));
        for blob in [&image, &config, &inner] {
            scene.registry.add(blob);
        }
        scene.registry.tag(&format!("r{n}"), "outer", &outer);
        scene.registry.tag(&format!("r{n}"), "inner", &inner);
        scene.registry.tag(&format!("s{n}"), "image", &image);
    }
    scene.walk.pace.held_bytes = 1;
    scene.control_plane.new_run();
    let walked = scene.attempt().await.unwrap();
    assert_eq!(walked.state, RunState::Complete);
    assert!(
        walked.held_bytes < 20_000,
        "little more than one chain: {}",
        walked.held_bytes
    );
    assert!(!has_repeats(&fetched(&scene.registry.take_log())));
}

#[tokio::test]
async fn forgetting_what_is_held_costs_an_offer_and_no_fetch() {
    let mut scene = Scene::new();
    scene.walk.pace.remembered = 2;
    scene.walk.pace.repositories = 1;
    for n in 0..30 {
        for tag in 0..5 {
            scene
                .registry
                .image(&format!("r{n}"), &format!("t{tag}"), &tag.to_string());
        }
    }
    let (state, log) = scene.run().await;
    assert_eq!(state, RunState::Complete);
    assert!(!has_repeats(&fetched(&log)));
    assert_eq!(scene.control_plane.state().repeats, 0);
}

#[tokio::test]
async fn one_image_with_a_large_config_passes_a_small_pool() {
    let mut scene = Scene::new();
    scene.walk.pace.held_bytes = 64 * 1024;
    let config = Blob::new(
        image::OCI_CONFIG,
        serde_json::to_vec(&json!({"os": "linux", "architecture": "amd64", "comment": "x".repeat(1 << 20)}))
            .unwrap(),
    );
    let image = image::manifest(&config, "application/vnd.oci.image.layer.v1.tar", "large");
    scene.registry.add(&config);
    scene.registry.tag("r", "1", &image);
    for n in 0..20 {
        scene.registry.image("r", &format!("t{n}"), &n.to_string());
    }
    assert_eq!(scene.run().await.0, RunState::Complete);
}

#[tokio::test]
async fn offers_and_batches_keep_to_their_bounds() {
    let mut scene = Scene::new();
    // The control plane refuses more than 2,000 digests in an offer and more than 8 MiB in a batch.
    scene.walk.pace.batch_bytes = limits::BATCH_BYTES;
    scene.walk.pace.held_bytes = 32 * 1024 * 1024;
    scene.walk.pace.company = usize::MAX;
    let (small, config) = image::image("small");
    scene.registry.add(&config);
    for n in 0..5_000 {
        scene
            .registry
            .tag("many", &format!("t{n}"), &image::index(&[&small], &n.to_string()));
    }
    scene.registry.tag("many", "small", &small);
    let padding = "x".repeat(3 * 1024 * 1024);
    for n in 0..6 {
        let large = image::manifest(
            &config,
            "application/vnd.oci.image.layer.v1.tar",
            &format!("{n}{padding}"),
        );
        scene.registry.tag("large", &format!("t{n}"), &large);
    }
    assert_eq!(scene.run().await.0, RunState::Complete);
    assert_eq!(scene.control_plane.state().manifests.len(), 5_000 + 1 + 6);
    assert_eq!(scene.control_plane.state().repeats, 0);
}

#[tokio::test]
async fn large_repositories_take_turns() {
    let mut scene = Scene::of(MemoryRegistry {
        page: 10,
        ..MemoryRegistry::default()
    });
    scene.walk.pace.small_repository = 20;
    scene.walk.pace.tags = 1;
    for name in ["large/a", "large/b", "large/c"] {
        for n in 0..100 {
            scene.registry.image(name, &format!("t{n:02}"), "the same");
        }
    }
    for n in 0..20 {
        scene.registry.image("small", &format!("t{n:02}"), "the same");
    }
    let (state, log) = scene.run().await;
    assert_eq!(state, RunState::Complete);
    let far = |request: &Request| match request {
        Request::Resolve(name, tag) if name.starts_with("large") && tag.as_str() >= "t30" => {
            Some(name.clone())
        }
        _ => None,
    };
    let mut turns: Vec<String> = log.iter().filter_map(far).collect();
    turns.dedup();
    assert_eq!(turns.len(), 3, "one after the other: {turns:?}");
}

#[tokio::test]
async fn a_large_answer_is_not_kept_while_another_large_repository_is_read() {
    let mut scene = Scene::of(MemoryRegistry {
        piece: 10,
        ..MemoryRegistry::default()
    });
    scene.walk.pace.small_repository = 20;
    scene.walk.pace.tags = 1;
    for name in ["large/a", "large/b", "large/c"] {
        for n in 0..100 {
            scene.registry.image(name, &format!("t{n:02}"), "the same");
        }
    }
    for n in 0..15 {
        scene.registry.image("small", &format!("t{n:02}"), "the same");
    }
    let (state, log) = scene.run().await;
    assert_eq!(state, RunState::Complete);
    assert_eq!(scene.tag_sets(), scene.true_tag_sets());
    let listed = |name: &str| {
        let first = Request::Tags(name.to_owned(), 0);
        log.iter().filter(|request| **request == first).count()
    };
    let twice = ["large/a", "large/b", "large/c"].map(listed);
    assert_eq!(
        twice.iter().sum::<usize>(),
        5,
        "the first at once, the others once more: {twice:?}"
    );
    assert_eq!(listed("small"), 1);
    let resolved = log
        .iter()
        .filter(|request| matches!(request, Request::Resolve(..)))
        .count();
    assert_eq!(resolved, 315, "no tag is resolved twice");
}
