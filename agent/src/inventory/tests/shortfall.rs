//! Content and tags that could not be read this time.

use portolan_shared::model::{FindingCode, RepositoryOutcome as Outcome, RunState};

use super::control_plane::Stored;
use super::image;
use super::registry::{MemoryRegistry, Request};
use super::scene::{Scene, fetched};
use crate::inventory::Failure;

#[tokio::test]
async fn what_may_be_read_another_time_leaves_its_parents_incomplete_and_is_tried_again() {
    for (failure, code) in [
        (Failure::Passing, FindingCode::Unavailable),
        (Failure::Denied, FindingCode::Denied),
        (Failure::Lasting, FindingCode::DigestMismatch),
    ] {
        let scene = Scene::new();
        let (bad, config) = image::image("bad");
        let inner = image::index(&[&bad], "inner");
        let outer = image::index(&[&inner], "outer");
        for blob in [&bad, &config, &inner] {
            scene.registry.add(blob);
        }
        scene.registry.tag("r", "outer", &outer);
        let (fine, _) = scene.registry.image("r", "fine", "fine");
        scene.registry.image("other", "1", "other");
        scene
            .registry
            .fail(Request::Manifest("r".into(), bad.digest.clone()), failure, code);

        assert_eq!(scene.run().await.0, RunState::Partial);
        assert_eq!(scene.manifest(&bad.digest), Some(Stored::Unavailable(code)));
        assert_eq!(scene.manifest(&inner.digest), Some(Stored::Incomplete));
        assert_eq!(scene.manifest(&outer.digest), Some(Stored::Incomplete));
        assert_eq!(scene.manifest(&fine.digest), Some(Stored::Whole));
        assert_eq!(scene.committed("r"), Some((Outcome::Incomplete, Some(code))));
        assert_eq!(scene.committed("other"), Some((Outcome::Listed, None)));
        assert_eq!(scene.tag_sets(), scene.true_tag_sets());

        scene.registry.heal();
        let (state, log) = scene.run().await;
        assert_eq!(state, RunState::Complete);
        let mut again = vec![
            bad.digest.clone(),
            inner.digest.clone(),
            outer.digest.clone(),
            config.digest.clone(),
        ];
        again.sort();
        assert_eq!(fetched(&log), again, "nothing that was held is fetched again");
        assert_eq!(scene.manifest(&outer.digest), Some(Stored::Whole));
    }
}

#[tokio::test]
async fn a_config_that_cannot_be_read_leaves_its_image_incomplete() {
    let scene = Scene::new();
    let (manifest, config) = scene.registry.image("r", "1", "image");
    let odd = image::Blob::new(image::OCI_CONFIG, b"[]".to_vec());
    let odd_image = image::manifest(&odd, "application/vnd.oci.image.layer.v1.tar", "odd");
    scene.registry.add(&odd);
    scene.registry.tag("s", "1", &odd_image);
    scene.registry.fail(
        Request::Config("r".into(), config.digest.clone()),
        Failure::Lasting,
        FindingCode::RedirectRefused,
    );
    assert_eq!(scene.run().await.0, RunState::Partial);
    for (manifest, config) in [(&manifest, &config), (&odd_image, &odd)] {
        assert_eq!(scene.manifest(&manifest.digest), Some(Stored::Incomplete));
        assert_eq!(
            scene.facts(&config.digest),
            Some(Stored::Unavailable(FindingCode::ConfigUnreadable))
        );
    }
    assert_eq!(
        scene.committed("r"),
        Some((Outcome::Incomplete, Some(FindingCode::RedirectRefused)))
    );
    assert_eq!(
        scene.committed("s"),
        Some((Outcome::Incomplete, Some(FindingCode::ConfigUnreadable)))
    );
}

#[tokio::test]
async fn a_digest_that_one_repository_hides_is_fetched_by_way_of_another() {
    let mut scene = Scene::new();
    scene.walk.pace.repositories = 1;
    let (shared, config) = image::image("shared");
    scene.registry.add(&config);
    for name in ["hides", "shows"] {
        scene.registry.tag(name, "1", &shared);
    }
    scene.registry.fail(
        Request::Manifest("hides".into(), shared.digest.clone()),
        Failure::Denied,
        FindingCode::Denied,
    );
    assert_eq!(scene.run().await.0, RunState::Partial);
    assert_eq!(scene.manifest(&shared.digest), Some(Stored::Whole));
    assert_eq!(scene.committed("shows"), Some((Outcome::Listed, None)));
}

#[tokio::test]
async fn a_broken_child_of_many_is_tried_once_in_a_repository() {
    let scene = Scene::new();
    let (bad, _) = image::image("bad");
    scene.registry.add(&bad);
    for n in 0..30 {
        let index = image::index(&[&bad], &n.to_string());
        scene.registry.tag("r", &format!("t{n}"), &index);
    }
    let request = Request::Manifest("r".into(), bad.digest.clone());
    scene
        .registry
        .fail(request.clone(), Failure::Passing, FindingCode::Unavailable);
    let (_, log) = scene.run().await;
    assert_eq!(log.iter().filter(|asked| **asked == request).count(), 1);
}

#[tokio::test]
async fn part_of_a_listing_is_committed_as_a_part() {
    let scene = Scene::of(MemoryRegistry {
        page: 2,
        ..MemoryRegistry::default()
    });
    for tag in ["a", "b", "c", "d"] {
        scene.registry.image("broken", tag, tag);
        scene.registry.image("unresolved", tag, tag);
    }
    scene.run().await;
    scene.registry.image("broken", "e", "e");
    scene.registry.image("unresolved", "e", "e");
    scene.registry.image("unresolved", "a", "a, moved");
    scene.registry.fail(
        Request::Tags("broken".into(), 1),
        Failure::Passing,
        FindingCode::Unavailable,
    );
    scene.registry.fail(
        Request::Resolve("unresolved".into(), "b".into()),
        Failure::Passing,
        FindingCode::Unavailable,
    );
    assert_eq!(scene.run().await.0, RunState::Partial);
    for name in ["broken", "unresolved"] {
        assert_eq!(
            scene.committed(name),
            Some((Outcome::Truncated, Some(FindingCode::Unavailable)))
        );
    }
    let sets = scene.tag_sets();
    assert_eq!(sets[0].1.len(), 4, "what was not listed has not vanished");
    assert_eq!(
        sets[1],
        scene.true_tag_sets()[1],
        "the rest of the tags is up to date"
    );
    scene.registry.heal();
    assert_eq!(scene.run().await.0, RunState::Complete);
    assert_eq!(scene.tag_sets(), scene.true_tag_sets());
}

#[tokio::test]
async fn a_tag_that_is_deleted_while_it_is_read_is_gone() {
    let scene = Scene::new();
    scene.registry.image("r", "stays", "stays");
    scene.registry.image("r", "goes", "goes");
    assert_eq!(scene.run().await.0, RunState::Complete);
    let goes = ("r".to_owned(), "goes".to_owned());
    scene.registry.vanishing.lock().unwrap().insert(goes);
    assert_eq!(scene.run().await.0, RunState::Complete);
    assert_eq!(scene.committed("r"), Some((Outcome::Listed, None)));
    let sets = scene.tag_sets();
    assert_eq!(
        sets[0].1.iter().map(|(tag, _)| tag.as_str()).collect::<Vec<_>>(),
        ["stays"]
    );
}

#[tokio::test]
async fn a_tag_that_is_listed_without_a_manifest_has_not_vanished() {
    let scene = Scene::new();
    scene.registry.image("r", "fine", "fine");
    scene.registry.image("r", "broken", "broken");
    scene.registry.image("only", "broken", "only broken");
    assert_eq!(scene.run().await.0, RunState::Complete);
    let before = scene.tag_sets();
    for name in ["r", "only"] {
        scene.registry.fail(
            Request::Resolve(name.into(), "broken".into()),
            Failure::Missing,
            FindingCode::ManifestMissing,
        );
    }
    let (state, log) = scene.run().await;
    assert_eq!(state, RunState::Partial);
    for name in ["r", "only"] {
        assert_eq!(
            scene.committed(name),
            Some((Outcome::Truncated, Some(FindingCode::ManifestMissing)))
        );
        let listings = log
            .iter()
            .filter(|asked| **asked == Request::Tags(name.into(), 0));
        assert_eq!(
            listings.count(),
            2,
            "the tags are listed once more, and once only"
        );
    }
    assert_eq!(scene.tag_sets(), before);
    scene.registry.fail(
        Request::Tags("r".into(), 1),
        Failure::Passing,
        FindingCode::Unavailable,
    );
    scene.run().await;
    assert_eq!(scene.tag_sets(), before);
    scene.registry.heal();
    assert_eq!(scene.run().await.0, RunState::Complete);
}

#[tokio::test]
async fn a_manifest_that_is_gone_between_two_requests_is_told() {
    let scene = Scene::new();
    let (image, _) = scene.registry.image("r", "1", "image");
    scene
        .registry
        .absent
        .lock()
        .unwrap()
        .insert(("r".into(), image.digest.clone()));
    assert_eq!(scene.run().await.0, RunState::Partial);
    assert_eq!(
        scene.committed("r"),
        Some((Outcome::Incomplete, Some(FindingCode::ManifestMissing)))
    );
}
