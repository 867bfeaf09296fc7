//! Several walks through one registry at the same time.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::join;
use futures::stream::{FuturesUnordered, StreamExt as _};
use portolan_shared::model::{Digest, Finding, FindingCode, RepositoryOutcome, RunState, Scope};
use proptest::prelude::*;
use tokio::sync::watch;

use super::image;
use super::registry::Request;
use super::scene::Scene;
use crate::inventory::Walk;
use crate::inventory::turns::LOOK_WAITS;

/// A walk that looks at some tags only.
fn look(scene: &Scene, lines: &[&str]) -> Walk {
    Walk {
        scope: Scope::of_lines(lines).unwrap().normal(),
        ..scene.walk.clone()
    }
}

async fn attempt(scene: &Scene, walk: &Walk) -> RunState {
    scene.attempt_at(walk, &scene.ended).await.unwrap().state
}

fn head(tag: &str) -> Request {
    Request::Resolve("r".into(), tag.into())
}

async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        tokio::task::yield_now().await;
    }
}

fn asked(scene: &Scene, request: &Request) -> usize {
    let log = scene.registry.log.lock().unwrap();
    log.iter().filter(|asked| *asked == request).count()
}

/// Gives everything that could go on the time to do so.
async fn a_while() {
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_sync_that_listed_before_an_event_does_not_overwrite_what_the_event_brought() {
    let scene = Scene::new();
    let (old, _) = scene.registry.image("r", "latest", "old");
    scene.registry.image("s", "latest", "other");
    let fetching = Request::Manifest("r".into(), old.digest);
    scene.registry.stalled.lock().unwrap().insert(fetching.clone());
    let (whole, event) = (scene.walk.clone(), look(&scene, &["r:latest"]));
    let beside = async {
        // The whole sync has seen where the tag pointed to, and has not said so yet.
        until(|| asked(&scene, &fetching) == 1).await;
        let (new, _) = scene.registry.image("r", "latest", "new");
        let announced = attempt(&scene, &event);
        let meanwhile = async {
            a_while().await;
            assert_eq!(asked(&scene, &head("latest")), 1, "the event waits for the sync");
            scene.registry.stalled.lock().unwrap().clear();
        };
        assert_eq!(join(announced, meanwhile).await.0, RunState::Complete);
        new
    };
    let (state, new) = join(attempt(&scene, &whole), beside).await;
    assert_eq!(state, RunState::Complete);
    assert_eq!(scene.tag_sets()[0].1[0].1, new.digest);
    assert_eq!(scene.tag_sets(), scene.true_tag_sets());
}

#[tokio::test]
async fn a_sync_that_comes_after_an_event_lists_what_is_there_then() {
    let scene = Scene::new();
    let (old, _) = scene.registry.image("r", "latest", "old");
    scene.registry.image("s", "latest", "other");
    let fetching = Request::Manifest("r".into(), old.digest);
    scene.registry.stalled.lock().unwrap().insert(fetching.clone());
    let (whole, event) = (scene.walk.clone(), look(&scene, &["r:latest"]));
    let beside = async {
        until(|| asked(&scene, &fetching) == 1).await;
        let sync = attempt(&scene, &whole);
        let meanwhile = async {
            until(|| scene.control_plane.state().repositories.contains_key("s")).await;
            a_while().await;
            assert_eq!(
                asked(&scene, &Request::Tags("r".into(), 0)),
                0,
                "others are read meanwhile"
            );
            scene.registry.image("r", "latest", "new");
            scene.registry.stalled.lock().unwrap().clear();
        };
        join(sync, meanwhile).await.0
    };
    let (event, whole) = join(attempt(&scene, &event), beside).await;
    assert_eq!((event, whole), (RunState::Complete, RunState::Complete));
    assert_eq!(scene.tag_sets(), scene.true_tag_sets());
}

#[tokio::test(start_paused = true)]
async fn a_look_does_not_wait_long_for_what_a_sync_keeps() {
    for line in ["r:latest", "r"] {
        let scene = Scene::new();
        let (held, _) = scene.registry.image("r", "latest", "held");
        scene.registry.image("s", "latest", "other");
        let fetching = Request::Manifest("r".into(), held.digest);
        scene.registry.stalled.lock().unwrap().insert(fetching.clone());
        let event = look(&scene, &[line, "s:latest"]);
        let beside = async {
            until(|| asked(&scene, &fetching) == 1).await;
            let waits = attempt(&scene, &event);
            let time = async {
                // Time does not pass by itself while somebody is busy.
                a_while().await;
                tokio::time::advance(LOOK_WAITS - std::time::Duration::from_millis(10)).await;
                a_while().await;
                assert_eq!(scene.reported("r"), None, "its time is not over");
                tokio::time::advance(std::time::Duration::from_millis(20)).await;
            };
            assert_eq!(join(waits, time).await.0, RunState::Partial, "{line}");
            assert_eq!(
                scene.reported("r"),
                Some((RepositoryOutcome::Failed, Some(FindingCode::RepositoryBusy)))
            );
            assert!(
                scene.control_plane.state().repositories.contains_key("s"),
                "the others are looked at"
            );
            assert_eq!(asked(&scene, &head("latest")), 1, "by the sync");
            let sync_too = scene.walk.clone();
            let waits = attempt(&scene, &sync_too);
            let meanwhile = async {
                a_while().await;
                tokio::time::advance(LOOK_WAITS * 10).await;
                a_while().await;
                assert_eq!(asked(&scene, &fetching), 1, "a sync waits as long as it takes");
                scene.registry.stalled.lock().unwrap().clear();
            };
            join(waits, meanwhile).await.0
        };
        join(attempt(&scene, &scene.walk), beside).await;
        assert_eq!(scene.tag_sets(), scene.true_tag_sets());
    }
}

#[tokio::test]
async fn an_attempt_that_is_dropped_lets_the_next_one_read() {
    let scene = Scene::new();
    scene.registry.image("r", "latest", "image");
    scene.registry.stalled.lock().unwrap().insert(head("latest"));
    let event = look(&scene, &["r:latest"]);
    let dropped = async {
        tokio::select! {
            _ = scene.attempt() => panic!("the registry does not answer"),
            () = until(|| asked(&scene, &head("latest")) == 1) => {}
        }
        scene.registry.stalled.lock().unwrap().clear();
    };
    let (state, ()) = join(attempt(&scene, &event), dropped).await;
    assert_eq!(state, RunState::Complete);
    assert_eq!(scene.tag_sets(), scene.true_tag_sets());
}

#[tokio::test]
async fn an_attempt_that_is_ended_does_not_wait_for_its_turn() {
    let scene = Scene::new();
    scene.registry.image("r", "latest", "image");
    scene.registry.stalled.lock().unwrap().insert(head("latest"));
    let event = look(&scene, &["r:latest"]);
    let first = async {
        tokio::select! {
            _ = scene.attempt() => panic!("the registry does not answer"),
            () = until(|| scene.control_plane.state().closed.is_some()) => {}
        }
    };
    let second = async {
        until(|| asked(&scene, &head("latest")) == 1).await;
        let ended = watch::Sender::new(None);
        let waits = scene.attempt_at(&event, &ended);
        let ends = async {
            a_while().await;
            let why = Finding::new(FindingCode::PolicyRefused, "the window has closed");
            ended.send_replace(Some(why));
        };
        join(waits, ends).await.0.unwrap().state
    };
    let (state, ()) = join(second, first).await;
    assert_eq!(state, RunState::Failed);
    assert_eq!(asked(&scene, &head("latest")), 1);
}

/// Something happens in the registry, so many steps after what happened before, and is announced.
#[derive(Debug, Clone)]
struct Happening {
    steps: usize,
    repository: u8,
    tag: u8,
    /// None: deleted.
    image: Option<u8>,
}

fn happening() -> impl Strategy<Value = Happening> {
    (
        0..60_usize,
        0..2_u8,
        0..3_u8,
        prop::option::weighted(0.8, 0..4_u8),
    )
        .prop_map(|(steps, repository, tag, image)| Happening {
            steps,
            repository,
            tag,
            image,
        })
}

fn happens(scene: &Scene, images: &[image::Blob], what: &Happening) {
    let (repository, tag) = (format!("r{}", what.repository), format!("t{}", what.tag));
    match what.image {
        Some(image) => scene.registry.tag(&repository, &tag, &images[usize::from(image)]),
        None => {
            let mut repositories = scene.registry.repositories.lock().unwrap();
            repositories.entry(repository).or_default().remove(&tag);
        }
    }
}

async fn steps(steps: usize) {
    for _ in 0..steps {
        tokio::task::yield_now().await;
    }
}

/// The tag sets without repositories that are empty.
fn full(sets: Vec<(String, Vec<(String, Digest)>)>) -> Vec<(String, Vec<(String, Digest)>)> {
    sets.into_iter().filter(|(_, tags)| !tags.is_empty()).collect()
}

async fn check(happenings: &[Happening], syncs: &[usize], at_once: usize) {
    let mut scene = Scene::new();
    scene.walk.pace.repositories = at_once;
    scene.walk.pace.tags = at_once;
    let images: Vec<image::Blob> = (0..4)
        .map(|n| {
            let (manifest, config) = image::image(&n.to_string());
            scene.registry.add(&config);
            manifest
        })
        .collect();
    let done = AtomicUsize::new(0);
    let mut all = FuturesUnordered::new();
    for begins in syncs {
        let scene = &scene;
        all.push(futures::FutureExt::boxed_local(async move {
            steps(*begins).await;
            attempt(scene, &scene.walk).await;
        }));
    }
    let mut at = 0;
    for (place, what) in happenings.iter().enumerate() {
        at += what.steps;
        let (scene, images, done) = (&scene, &images, &done);
        all.push(futures::FutureExt::boxed_local(async move {
            steps(at).await;
            // In the order in which they are.
            until(|| done.load(Ordering::Relaxed) == place).await;
            happens(scene, images, what);
            done.fetch_add(1, Ordering::Relaxed);
            let walk = look(scene, &[&format!("r{}:t{}", what.repository, what.tag)]);
            attempt(scene, &walk).await;
        }));
    }
    while all.next().await.is_some() {}
    drop(all);
    assert_eq!(full(scene.tag_sets()), full(scene.true_tag_sets()));
}

proptest! {
    /// Whatever is pushed and deleted while whole syncs are under way: once each event has been looked at, what the registry has is known.
    #[test]
    fn what_was_announced_last_is_known_last(
        happenings in prop::collection::vec(happening(), 1..10),
        syncs in prop::collection::vec(0..300_usize, 0..4),
        at_once in 1..4_usize,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(check(&happenings, &syncs, at_once));
    }
}
