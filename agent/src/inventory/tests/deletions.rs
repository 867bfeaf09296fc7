//! Looks at single tags that may have been deleted.

use std::time::Duration;

use portolan_shared::model::{FindingCode, RepositoryOutcome as Outcome, RunState};

use super::references::{head, list, scene, tags};
use super::registry::{MemoryRegistry, Request};
use super::scene::Scene;
use crate::inventory::Failure;

#[tokio::test]
async fn a_deleted_tag_is_gone_once_a_listing_does_not_name_it() {
    let mut scene = scene().await;
    for tag in ["1", "3"] {
        scene.registry.delete("r", tag);
    }
    scene.scope(&["r:1", "r:never-there"]);
    let (state, log) = scene.run().await;
    assert_eq!(state, RunState::Complete);
    let end = Request::Tags("r".into(), 1);
    let mut expected = [head("r", "1"), head("r", "never-there"), list("r"), end];
    expected.sort();
    let mut asked = log[1..].to_vec();
    asked.sort();
    assert_eq!(asked, expected, "listed once for both");
    assert_eq!(tags(&scene, "r"), ["2", "3"], "of the other nothing was said");
    assert_eq!(scene.committed("r"), Some((Outcome::Listed, None)));
}

#[tokio::test]
async fn of_a_repository_that_the_registry_does_not_know_nothing_is_gone() {
    let mut scene = scene().await;
    let before = scene.tag_sets();
    // So some answer for what this credential must not see any more.
    for repository in ["r", "new"] {
        scene.registry.fail(
            list(repository),
            Failure::UnknownRepository,
            FindingCode::RepositoryMissing,
        );
    }
    for tag in ["1", "2"] {
        scene
            .registry
            .fail(head("r", tag), Failure::Missing, FindingCode::ManifestMissing);
    }
    scene.scope(&["r:1", "r:2", "new:1"]);
    assert_eq!(scene.run().await.0, RunState::Partial);
    let missing = Some((Outcome::Missing, Some(FindingCode::RepositoryMissing)));
    assert_eq!((scene.reported("r"), scene.reported("new")), (missing, missing));
    assert_eq!(scene.tag_sets(), before);
    // Nor beside a tag that has an answer, of whatever the registry makes of itself then.
    scene.scope(&["r:1", "r:3"]);
    assert_eq!(scene.run().await.0, RunState::Partial);
    assert_eq!(scene.control_plane.state().repositories["r"].only, ["3"]);
    assert_eq!(
        scene.committed("r"),
        Some((Outcome::Truncated, Some(FindingCode::RepositoryMissing)))
    );
    assert_eq!(scene.tag_sets(), before);
}

#[tokio::test]
async fn a_long_list_is_not_read_again_for_each_tag_that_is_deleted() {
    let mut scene = Scene::of(MemoryRegistry {
        page: 2,
        ..MemoryRegistry::default()
    });
    for tag in ["1", "2", "3", "4", "5"] {
        scene.registry.image("r", tag, tag);
        scene.registry.image("s", tag, tag);
    }
    assert_eq!(scene.run().await.0, RunState::Complete);
    let listed = |log: &[Request]| {
        log.iter()
            .filter(|asked| matches!(asked, Request::Tags(..)))
            .count()
    };
    for repository in ["r", "s"] {
        scene.registry.delete(repository, "1");
        scene.scope(&[&format!("{repository}:1")]);
        let (state, log) = scene.run().await;
        assert_eq!(state, RunState::Complete, "each repository by itself");
        assert!(listed(&log) >= 2);
    }
    scene.registry.delete("r", "2");
    scene.registry.image("r", "3", "moved");
    scene.scope(&["r:2"]);
    let (state, log) = scene.run().await;
    assert_eq!((state, listed(&log)), (RunState::Failed, 0));
    let busy = Some(FindingCode::RepositoryBusy);
    assert_eq!(scene.reported("r"), Some((Outcome::Failed, busy)));
    assert_eq!(tags(&scene, "r"), ["2", "3", "4", "5"]);
    scene.scope(&["r:2", "r:3"]);
    let (state, log) = scene.run().await;
    assert_eq!((state, listed(&log)), (RunState::Partial, 0));
    assert_eq!(scene.committed("r"), Some((Outcome::Truncated, busy)));
    assert_eq!(
        scene.control_plane.state().repositories["r"].only,
        ["3"],
        "a push is seen all the same"
    );
    scene.clock.advance(Duration::from_secs(10));
    scene.scope(&["r:2"]);
    let (state, log) = scene.run().await;
    assert_eq!(state, RunState::Complete);
    assert!(listed(&log) >= 2);
    assert_eq!(tags(&scene, "r"), ["3", "4", "5"]);
    // A whole sync is never held back.
    scene.registry.delete("r", "4");
    scene.walk.scope = <_>::default();
    assert_eq!(scene.run().await.0, RunState::Complete);
    assert_eq!(scene.tag_sets(), scene.true_tag_sets());
}
