//! Looks at single tags.

use portolan_shared::model::{
    DiscoveryMethod, FindingCode, RepositoryOutcome as Outcome, RepositoryPatterns, RunState,
};

use super::registry::{MemoryRegistry, Request};
use super::scene::Scene;
use crate::inventory::Failure;

pub(super) fn head(repository: &str, tag: &str) -> Request {
    Request::Resolve(repository.to_owned(), tag.to_owned())
}

pub(super) fn list(repository: &str) -> Request {
    Request::Tags(repository.to_owned(), 0)
}

/// Two repositories with three tags each, and all of it in the control plane.
pub(super) async fn scene() -> Scene {
    let scene = Scene::new();
    for repository in ["r", "s"] {
        for tag in ["1", "2", "3"] {
            scene
                .registry
                .image(repository, tag, &format!("{repository}:{tag}"));
        }
    }
    assert_eq!(scene.run().await.0, RunState::Complete);
    scene
}

/// The tags of a repository, as the control plane has them.
pub(super) fn tags(scene: &Scene, repository: &str) -> Vec<String> {
    let sets = scene.tag_sets().into_iter();
    let tags = sets
        .filter(|(name, _)| name == repository)
        .flat_map(|(_, tags)| tags);
    tags.map(|(tag, _)| tag).collect()
}

#[tokio::test]
async fn a_tag_that_has_not_changed_costs_one_head_and_a_commit() {
    let mut scene = scene().await;
    let before = scene.tag_sets();
    scene.scope(&["r:1"]);
    let (state, log) = scene.run().await;
    assert_eq!(state, RunState::Complete);
    assert_eq!(log, [Request::Enter, head("r", "1")]);
    let calls = scene.control_plane.state().calls.clone();
    assert_eq!(calls, [("offer manifests", 1), ("commit", 1), ("close", 0)]);
    assert_eq!(scene.tag_sets(), before);
    assert_eq!(scene.control_plane.state().repositories["r"].only, ["1"]);

    let closing = scene.closing();
    assert!(closing.discovery_complete && closing.failure.is_none());
    assert_eq!((closing.found, closing.filtered, closing.tags), (1, 0, 1));
    let steps: Vec<_> = closing
        .discovery
        .iter()
        .map(|step| (step.method, step.found, step.complete))
        .collect();
    assert_eq!(steps, [(DiscoveryMethod::Explicit, 1, true)]);
    scene.walk.scope = <_>::default();
    let (_, log) = scene.run().await;
    assert!(log.contains(&list("r")), "the whole is looked at as before");
    assert_eq!(
        scene.control_plane.state().repositories["r"].only,
        ["1"],
        "and has not changed"
    );
}

#[tokio::test]
async fn a_new_image_costs_its_content_beside_the_head() {
    let mut scene = scene().await;
    let (manifest, config) = scene.registry.image("r", "4", "new");
    // Somebody changed this too, and has not said so.
    scene.registry.image("r", "1", "moved");
    scene.scope(&["r:4"]);
    let (state, log) = scene.run().await;
    assert_eq!(state, RunState::Complete);
    let name = "r".to_owned();
    let expected = [
        Request::Enter,
        head("r", "4"),
        Request::Manifest(name.clone(), manifest.digest.clone()),
        Request::Config(name, config.digest),
        Request::Referrers(manifest.digest.clone()),
    ];
    assert_eq!(log, expected);
    assert_eq!(tags(&scene, "r"), ["1", "2", "3", "4"]);
    let sets = scene.tag_sets();
    assert_eq!(sets[0].1[3].1, manifest.digest);
    assert_ne!(sets, scene.true_tag_sets(), "only what was announced is read");
    scene.walk.scope = <_>::default();
    assert_eq!(scene.run().await.0, RunState::Complete);
    assert_eq!(scene.tag_sets(), scene.true_tag_sets());
}

#[tokio::test]
async fn a_tag_that_moved_is_taken_from_the_registry_and_from_nobody_else() {
    let mut scene = scene().await;
    let (moved, _) = scene.registry.image("r", "2", "moved");
    scene.scope(&["r:2"]);
    assert_eq!(scene.run().await.0, RunState::Complete);
    assert_eq!(scene.tag_sets()[0].1[1].1, moved.digest);
    assert_eq!(scene.tag_sets(), scene.true_tag_sets());
    // Pushed once more, and the same.
    let (_, log) = scene.run().await;
    assert_eq!(log, [Request::Enter, head("r", "2")]);
    assert_eq!(scene.tag_sets(), scene.true_tag_sets());
}

#[tokio::test]
async fn a_tag_that_is_listed_without_a_manifest_is_not_gone() {
    let mut scene = scene().await;
    let before = scene.tag_sets();
    scene
        .registry
        .fail(head("r", "1"), Failure::Missing, FindingCode::ManifestMissing);
    scene.registry.image("r", "2", "moved");
    scene.scope(&["r:1"]);
    assert_eq!(scene.run().await.0, RunState::Failed);
    assert_eq!(
        scene.reported("r"),
        Some((Outcome::Failed, Some(FindingCode::ManifestMissing)))
    );
    assert_eq!(scene.tag_sets(), before);
    scene.scope(&["r:1", "r:2"]);
    assert_eq!(scene.run().await.0, RunState::Partial);
    assert_eq!(
        scene.committed("r"),
        Some((Outcome::Truncated, Some(FindingCode::ManifestMissing)))
    );
    assert_eq!(scene.control_plane.state().repositories["r"].only, ["2"]);
    assert_eq!(scene.tag_sets(), scene.true_tag_sets());
}

#[tokio::test]
async fn a_registry_that_fails_to_answer_has_deleted_nothing() {
    let unavailable = Some(FindingCode::Unavailable);
    for (at, failure, outcome) in [
        (head("r", "1"), Failure::Passing, Outcome::Failed),
        (head("r", "1"), Failure::Lasting, Outcome::Failed),
        (head("r", "1"), Failure::Denied, Outcome::Denied),
        (list("r"), Failure::Passing, Outcome::Failed),
        (list("r"), Failure::Denied, Outcome::Denied),
        // A 404 may come from anything on the way.
        (list("r"), Failure::Missing, Outcome::Missing),
    ] {
        let mut scene = scene().await;
        let before = scene.tag_sets();
        scene.registry.delete("r", "1");
        scene.registry.fail(at, failure, FindingCode::Unavailable);
        scene.scope(&["r:1"]);
        let state = match outcome {
            // That one is not there says nothing about the registry.
            Outcome::Missing => RunState::Partial,
            _ => RunState::Failed,
        };
        assert_eq!(scene.run().await.0, state);
        assert_eq!(scene.reported("r"), Some((outcome, unavailable)));
        assert_eq!(scene.tag_sets(), before);
        scene.registry.heal();
        assert_eq!(scene.run().await.0, RunState::Complete);
        assert_eq!(tags(&scene, "r"), ["2", "3"]);
    }
}

#[tokio::test]
async fn beside_a_tag_without_an_answer_the_others_are_committed_or_gone() {
    let mut scene = scene().await;
    let (moved, _) = scene.registry.image("r", "2", "moved");
    scene.registry.delete("r", "3");
    scene
        .registry
        .fail(head("r", "1"), Failure::Passing, FindingCode::Unavailable);
    scene.scope(&["r:1", "r:2", "r:3", "s:1"]);
    assert_eq!(scene.run().await.0, RunState::Partial);
    assert_eq!(
        scene.committed("r"),
        Some((Outcome::Truncated, Some(FindingCode::Unavailable)))
    );
    assert_eq!(scene.committed("s"), Some((Outcome::Listed, None)));
    assert_eq!(scene.control_plane.state().repositories["r"].only, ["2", "3"]);
    assert_eq!(tags(&scene, "r"), ["1", "2"], "of the first nothing is known");
    assert_eq!(scene.tag_sets()[0].1[1].1, moved.digest);
}

#[tokio::test]
async fn what_the_filter_or_the_patterns_leave_out_is_not_asked_for() {
    let mut scene = scene().await;
    scene.walk.tags.names = portolan_shared::model::NamePatterns::new(vec!["re:[0-9]+".to_owned()]).unwrap();
    scene.patterns(&["r"]);
    scene.scope(&["r:1", "r:edge", "s:1"]);
    let (state, log) = scene.run().await;
    assert_eq!(state, RunState::Complete);
    assert_eq!(log, [Request::Enter, head("r", "1")]);
    {
        let state = scene.control_plane.state();
        let committed = &state.repositories["r"];
        assert_eq!(
            (&committed.only[..], &committed.left_out[..]),
            (&["1".into(), "edge".into()][..], &["edge".into()][..])
        );
    }
    assert_eq!(scene.reported("s"), Some((Outcome::Filtered, None)));
    let closing = scene.closing();
    assert_eq!(
        (
            closing.found,
            closing.filtered,
            closing.tags,
            closing.tags_filtered
        ),
        (2, 1, 1, 1)
    );

    scene.patterns(&[]);
    scene.walk.patterns = RepositoryPatterns::all();
    scene.walk.terms.repositories = RepositoryPatterns::new(vec!["r".into()]).unwrap();
    let (state, log) = scene.run().await;
    assert_eq!(state, RunState::Partial);
    assert_eq!(log, [Request::Enter, head("r", "1")]);
    assert_eq!(
        scene.reported("s"),
        Some((Outcome::Refused, Some(FindingCode::PolicyRefused)))
    );
}

#[tokio::test]
async fn many_tags_of_one_repository_are_one_commit_and_stay_within_the_bounds() {
    let mut scene = scene().await;
    scene.walk.pace.requests = 8;
    let names: Vec<String> = (0..64).map(|n| format!("r:t{n}")).collect();
    for name in &names {
        scene.registry.image("r", &name[2..], name);
    }
    scene.scope(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let (state, log) = scene.run().await;
    assert_eq!(state, RunState::Complete);
    let heads = log
        .iter()
        .filter(|asked| matches!(asked, Request::Resolve(..)))
        .count();
    // Enter, 64 heads, 64 manifests and configs, and one question about referrers.
    assert_eq!((heads, log.len()), (64, 1 + 3 * 64 + 1));
    let calls = scene.control_plane.state().calls.clone();
    let commits: Vec<_> = calls.iter().filter(|(name, _)| *name == "commit").collect();
    assert_eq!(commits, [&("commit", 64)]);
    assert_eq!(scene.tag_sets(), scene.true_tag_sets());
    assert!(scene.registry.waiting.lock().unwrap().1 <= 8);
}

#[tokio::test]
async fn whole_repositories_and_single_tags_go_together() {
    let mut scene = scene().await;
    scene.registry.image("r", "2", "moved");
    scene.registry.image("s", "1", "moved too");
    scene.registry.image("s", "2", "and this, of which nobody knows");
    scene.registry.image("t", "1", "nobody asks for this");
    scene.scope(&["r", "s:1"]);
    let (state, log) = scene.run().await;
    assert_eq!(state, RunState::Complete);
    assert!(log.contains(&list("r")) && !log.contains(&list("s")));
    assert!(!log.iter().any(|asked| matches!(asked, Request::Catalog(_))));
    let (seen, there) = (scene.tag_sets(), scene.true_tag_sets());
    assert_eq!(seen[0], there[0]);
    assert_eq!((&seen[1].1[0], seen.len()), (&there[1].1[0], 2));
    assert_ne!(seen[1].1[1], there[1].1[1]);
    let closing = scene.closing();
    assert_eq!((closing.found, closing.discovery.len()), (2, 1));
    assert_eq!(closing.discovery[0].found, 2);
}

#[tokio::test]
async fn content_that_cannot_be_had_leaves_the_look_incomplete() {
    let mut scene = scene().await;
    let (manifest, _) = scene.registry.image("r", "4", "new");
    let request = Request::Manifest("r".into(), manifest.digest.clone());
    scene
        .registry
        .fail(request, Failure::Passing, FindingCode::Unavailable);
    scene.scope(&["r:4"]);
    assert_eq!(scene.run().await.0, RunState::Partial);
    assert_eq!(
        scene.committed("r"),
        Some((Outcome::Incomplete, Some(FindingCode::Unavailable)))
    );
    assert_eq!(
        scene.tag_sets(),
        scene.true_tag_sets(),
        "where the tag points to is known"
    );
}

#[tokio::test]
async fn a_registry_that_lets_nobody_in_is_told_of_each_repository() {
    let mut scene = scene().await;
    let before = scene.tag_sets();
    scene.registry.fail(
        Request::Enter,
        Failure::Everywhere,
        FindingCode::CredentialRefused,
    );
    scene.scope(&["r:1", "s:1"]);
    let (state, log) = scene.run().await;
    assert_eq!((state, log), (RunState::Failed, vec![Request::Enter]));
    let refused = Some((Outcome::Failed, Some(FindingCode::CredentialRefused)));
    assert_eq!((scene.reported("r"), scene.reported("s")), (refused, refused));
    assert_eq!(scene.tag_sets(), before);
}

#[tokio::test]
async fn a_later_attempt_does_not_ask_again_for_what_was_committed() {
    let mut scene = scene().await;
    scene.scope(&["r:1", "s:1"]);
    scene.control_plane.new_run();
    scene.control_plane.state().committed.insert("r".into());
    scene.walk.resumed = true;
    scene.registry.take_log();
    assert_eq!(scene.attempt().await.unwrap().state, RunState::Complete);
    assert_eq!(scene.registry.take_log(), [Request::Enter, head("s", "1")]);
}

#[tokio::test]
async fn lists_that_tell_digests_do_not_matter_for_single_tags() {
    let mut scene = Scene::of(MemoryRegistry {
        tells_digests: true,
        ..MemoryRegistry::default()
    });
    scene.registry.image("r", "1", "one");
    scene.scope(&["r:1"]);
    let (state, log) = scene.run().await;
    assert_eq!(state, RunState::Complete);
    assert_eq!(log[1], head("r", "1"));
    assert_eq!(scene.tag_sets(), scene.true_tag_sets());
}
