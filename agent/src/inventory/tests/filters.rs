//! Tags and repositories that are not wanted.

use std::num::NonZeroU32;
use std::time::Duration;

use portolan_shared::model::{
    FindingCode, NamePatterns, RepositoryOutcome as Outcome, RunState, TagFilter, limits,
};

use super::registry::{MemoryRegistry, Request};
use super::scene::{NOW, Scene};
use crate::inventory::Failure;

fn filter(names: &[&str], newest: u32, days: u32) -> TagFilter {
    TagFilter {
        names: NamePatterns::new(names.iter().map(ToString::to_string).collect()).unwrap(),
        newest: NonZeroU32::new(newest),
        max_age_days: NonZeroU32::new(days),
    }
}

/// A repository `r` whose tags were pushed so many days ago.
fn scene(tags: &[(&str, u64)]) -> Scene {
    let scene = Scene::of(MemoryRegistry {
        page: 2,
        tells_digests: true,
        ..MemoryRegistry::default()
    });
    for (tag, days) in tags {
        scene.registry.image("r", tag, tag);
        let pushed = NOW - Duration::from_secs(days * 86_400);
        let of = ("r".to_owned(), (*tag).to_owned());
        scene.registry.pushed.lock().unwrap().insert(of, pushed);
    }
    scene
}

fn stored(scene: &Scene) -> (Vec<String>, Vec<String>) {
    let state = scene.control_plane.state();
    let had = &state.repositories["r"];
    (had.tags.keys().cloned().collect(), had.left_out.clone())
}

fn resolved(log: &[Request]) -> usize {
    log.iter()
        .filter(|request| matches!(request, Request::Resolve(..)))
        .count()
}

#[tokio::test]
async fn what_its_name_leaves_out_costs_no_request() {
    let mut scene = Scene::new();
    for tag in ["1.0", "1.1", "main-1", "main-2", "tmp"] {
        scene.registry.image("r", tag, tag);
    }
    scene.walk.tags = filter(&["re:[0-9.]+|main-.*", "!main-1"], 0, 0);
    let (state, log) = scene.run().await;
    assert_eq!(state, RunState::Complete);
    assert_eq!(resolved(&log), 3);
    assert_eq!(
        stored(&scene),
        (
            vec!["1.0".into(), "1.1".into(), "main-2".into()],
            vec!["main-1".into(), "tmp".into()]
        )
    );
    let closing = scene.closing();
    assert_eq!((closing.tags, closing.tags_filtered), (3, 2));
    assert_eq!(closing.progress.tags, 3);
}

#[tokio::test]
async fn a_list_that_tells_digests_is_not_asked_again() {
    let scene = scene(&[("a", 1), ("b", 2), ("c", 3)]);
    let (state, log) = scene.run().await;
    assert_eq!((state, resolved(&log)), (RunState::Complete, 0));
    assert_eq!(scene.tag_sets(), scene.true_tag_sets());
    let names_only = Scene::new();
    for tag in ["a", "b", "c"] {
        names_only.registry.image("r", tag, tag);
    }
    names_only.run().await;
    let hash = |scene: &Scene| scene.control_plane.state().repositories["r"].hash;
    assert_eq!(hash(&scene), hash(&names_only), "both ways see the same");
}

#[tokio::test]
async fn age_and_order_are_judged_when_all_are_known_and_nothing_else_changes_the_hash() {
    let mut scene = scene(&[("a", 1), ("b", 2), ("c", 3), ("d", 4), ("old", 40)]);
    scene.walk.tags = filter(&[], 2, 30);
    assert_eq!(scene.run().await.0, RunState::Complete);
    assert_eq!(
        stored(&scene),
        (
            vec!["a".into(), "b".into()],
            vec!["c".into(), "d".into(), "old".into()]
        )
    );
    let closing = scene.closing();
    assert_eq!((closing.tags, closing.tags_filtered), (2, 3));
    assert_eq!(scene.committed("r"), Some((Outcome::Listed, None)));
    scene.registry.image("r", "c", "c, moved");
    scene.run().await;
    let calls = scene.control_plane.state().calls.clone();
    assert!(!calls.iter().any(|(name, _)| *name == "commit"), "{calls:?}");
    assert_eq!(scene.closing().tags_filtered, 3);
}

#[tokio::test]
async fn without_times_nothing_is_left_out_and_that_is_told() {
    let mut scene = scene(&[("a", 1), ("b", 2)]);
    scene.registry.pushed.lock().unwrap().clear();
    scene.walk.tags = filter(&[], 1, 30);
    assert_eq!(scene.run().await.0, RunState::Complete);
    assert_eq!(
        scene.committed("r"),
        Some((Outcome::Listed, Some(FindingCode::FilterTimesUnknown)))
    );
    assert_eq!(stored(&scene).0.len(), 2);
    assert_eq!(scene.closing().tags_filtered, 0);
}

#[tokio::test]
async fn a_repository_of_which_nothing_is_wanted_is_listed_and_empty() {
    let mut scene = scene(&[("a", 40), ("b", 50)]);
    scene.walk.tags = filter(&[], 0, 30);
    assert_eq!(scene.run().await.0, RunState::Complete);
    assert_eq!(stored(&scene), (vec![], vec!["a".into(), "b".into()]));
}

#[tokio::test]
async fn repositories_that_the_patterns_leave_out_are_named() {
    let mut scene = Scene::of(MemoryRegistry {
        page: 2,
        ..MemoryRegistry::default()
    });
    for name in ["in/denied", "in/open", "out/a", "out/b", "out/c"] {
        scene.registry.image(name, "1", name);
    }
    let tags = Request::Tags("in/denied".into(), 0);
    scene.registry.fail(tags, Failure::Denied, FindingCode::Denied);
    scene.patterns(&["in/*"]);
    let (state, log) = scene.run().await;
    assert_eq!(state, RunState::Partial, "for the one that is denied");
    let filtered = Some((Outcome::Filtered, None));
    for name in ["out/a", "out/b", "out/c"] {
        assert_eq!(scene.reported(name), filtered, "{name}");
        assert!(!log.contains(&Request::Tags(name.into(), 0)), "{name}");
    }
    let denied = Some((Outcome::Denied, Some(FindingCode::Denied)));
    assert_eq!(
        (scene.reported("in/denied"), scene.reported("in/open")),
        (denied, None)
    );
    let calls = scene.control_plane.state().calls.clone();
    let pages = calls.iter().filter(|(name, _)| *name == "coverage");
    assert_eq!(
        pages.map(|(_, items)| *items).collect::<Vec<_>>(),
        [4],
        "together"
    );
    scene.registry.heal();
    assert_eq!(scene.run().await.0, RunState::Complete);
    // The attempt that follows one that was lost tells the same again, and counts afresh.
    scene.walk.resumed = true;
    assert_eq!(scene.attempt().await.unwrap().state, RunState::Complete);
    assert_eq!((scene.closing().found, scene.closing().filtered), (5, 3));
}

#[tokio::test]
async fn repositories_beyond_the_bound_of_names_are_counted() {
    let bound = limits::FILTERED_NAMED;
    for (out, page) in [(bound, 0), (bound + 1, 0), (bound + 1, bound), (bound + 300, 700)] {
        let mut scene = Scene::of(MemoryRegistry {
            page,
            ..MemoryRegistry::default()
        });
        scene.registry.image("in", "1", "in");
        for number in 0..out {
            let mut repositories = scene.registry.repositories.lock().unwrap();
            repositories.insert(format!("out/r{number:04}"), Default::default());
        }
        scene.patterns(&["in*"]);
        assert_eq!(scene.run().await.0, RunState::Complete);
        assert_eq!(scene.closing().filtered, out as u64);
        let named = scene.control_plane.state().coverage.clone();
        assert_eq!(named.len(), bound, "{out} in pages of {page}");
        let last = format!("out/r{:04}", bound - 1);
        assert_eq!(named.keys().last(), Some(&last), "the first that were found");
    }
}
