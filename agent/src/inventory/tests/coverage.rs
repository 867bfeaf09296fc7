//! What could not be seen, and how that is told.

use portolan_shared::model::{
    DiscoveryMethod, FindingCode, RepositoryOutcome as Outcome, RunState, Scope, limits,
};

use super::image;
use super::registry::{MemoryRegistry, Request};
use super::scene::{Scene, fetched};
use crate::inventory::{Failure, Origin};

#[tokio::test]
async fn one_bad_repository_never_stops_the_others() {
    let mut scene = Scene::new();
    for name in ["denied", "failed", "refused", "good/one", "good/two"] {
        scene.registry.image(name, "1", name);
    }
    let tags = |name: &str| Request::Tags(name.into(), 0);
    scene
        .registry
        .fail(tags("denied"), Failure::Denied, FindingCode::Denied);
    scene
        .registry
        .fail(tags("failed"), Failure::Passing, FindingCode::Unavailable);
    scene
        .registry
        .fail(tags("refused"), Failure::Lasting, FindingCode::AddressRefused);
    scene.patterns(&["denied", "failed", "refused", "good/one", "good/two", "nowhere"]);
    let (state, log) = scene.run().await;
    assert_eq!(state, RunState::Partial);
    assert!(!log.iter().any(|request| matches!(request, Request::Catalog(_))));
    assert_eq!(
        scene.reported("denied"),
        Some((Outcome::Denied, Some(FindingCode::Denied)))
    );
    assert_eq!(
        scene.reported("failed"),
        Some((Outcome::Failed, Some(FindingCode::Unavailable)))
    );
    assert_eq!(
        scene.reported("refused"),
        Some((Outcome::Refused, Some(FindingCode::AddressRefused)))
    );
    assert_eq!(
        scene.reported("nowhere"),
        Some((Outcome::Missing, Some(FindingCode::RepositoryMissing)))
    );
    assert_eq!(scene.committed("good/one"), Some((Outcome::Listed, None)));
    assert_eq!(scene.committed("good/two"), Some((Outcome::Listed, None)));
    let closing = scene.closing();
    assert_eq!((closing.found, closing.filtered, closing.tags), (6, 0, 2));
    assert_eq!(closing.discovery[0].method, DiscoveryMethod::Explicit);
    assert!(closing.discovery_complete && closing.failure.is_none());
}

#[tokio::test]
async fn a_repository_of_the_catalog_without_tags_is_empty_and_not_missing() {
    let scene = Scene::new();
    scene.registry.image("full", "1", "full");
    scene
        .registry
        .repositories
        .lock()
        .unwrap()
        .insert("empty".into(), Default::default());
    scene.registry.fail(
        Request::Tags("empty".into(), 0),
        Failure::UnknownRepository,
        FindingCode::RepositoryMissing,
    );
    assert_eq!(scene.run().await.0, RunState::Complete);
    assert_eq!(scene.tag_sets(), scene.true_tag_sets());
}

#[tokio::test]
async fn a_repository_that_somebody_named_has_to_exist() {
    let mut scene = Scene::new();
    scene.registry.image("full", "1", "full");
    scene.registry.fail(
        Request::Tags("none".into(), 0),
        Failure::UnknownRepository,
        FindingCode::RepositoryMissing,
    );
    scene.patterns(&["full", "none"]);
    assert_eq!(scene.run().await.0, RunState::Partial);
    assert_eq!(
        scene.reported("none"),
        Some((Outcome::Missing, Some(FindingCode::RepositoryMissing)))
    );
    assert!(scene.committed("none").is_none());
}

#[tokio::test]
async fn a_repository_that_was_only_presumed_may_be_nothing() {
    let scene = Scene::of(MemoryRegistry {
        listed_as: Some(Origin::Presumed),
        ..MemoryRegistry::default()
    });
    for (name, failure) in [
        ("unknown", Failure::UnknownRepository),
        ("hidden", Failure::Missing),
    ] {
        scene.registry.image(name, "1", name);
        let tags = Request::Tags(name.into(), 0);
        scene.registry.fail(tags, failure, FindingCode::RepositoryMissing);
    }
    scene.registry.image("there", "1", "there");
    assert_eq!(scene.run().await.0, RunState::Partial);
    assert!(scene.committed("there").is_some());
    assert_eq!(
        (scene.committed("unknown"), scene.reported("unknown")),
        (None, None)
    );
    assert!(scene.reported("hidden").is_some(), "a bare 404 says nothing");
    assert_eq!(scene.closing().found, 2);
}

#[tokio::test]
async fn a_bare_404_for_the_tags_of_a_repository_of_the_catalog_empties_nothing() {
    let scene = Scene::new();
    scene.registry.image("r", "1", "image");
    scene.run().await;
    let before = scene.tag_sets();
    scene.registry.fail(
        Request::Tags("r".into(), 0),
        Failure::Missing,
        FindingCode::RepositoryMissing,
    );
    assert_eq!(scene.run().await.0, RunState::Partial);
    assert_eq!(
        scene.reported("r"),
        Some((Outcome::Missing, Some(FindingCode::RepositoryMissing)))
    );
    assert_eq!(scene.tag_sets(), before);
}

#[tokio::test]
async fn catalog_pages_are_filtered_and_counted() {
    let mut scene = Scene::of(MemoryRegistry {
        page: 3,
        malformed: 1,
        ..MemoryRegistry::default()
    });
    for n in 0..10 {
        scene.registry.image(
            &format!("{}/r{n}", if n < 4 { "in" } else { "out" }),
            "1",
            &n.to_string(),
        );
    }
    scene.patterns(&["in/*"]);
    let (state, _) = scene.run().await;
    assert_eq!(state, RunState::Complete);
    let closing = scene.closing();
    assert_eq!((closing.found, closing.filtered, closing.tags), (10, 6, 4));
    let step = &closing.discovery[0];
    assert_eq!(
        (step.method, step.found, step.complete),
        (DiscoveryMethod::Catalog, 10, true)
    );
    assert_eq!(step.finding, None);
    assert_eq!(
        scene.committed("in/r1"),
        Some((Outcome::Listed, Some(FindingCode::NameMalformed))),
        "a malformed tag is told, and does not make the rest less complete"
    );
}

#[tokio::test]
async fn a_scope_reads_only_what_it_names() {
    let mut scene = Scene::new();
    for name in ["a", "b", "c"] {
        scene.registry.image(name, "1", name);
    }
    scene.walk.scope = Scope {
        repositories: vec!["b".parse().unwrap()],
        ..Scope::default()
    };
    let (state, _) = scene.run().await;
    assert_eq!(state, RunState::Complete);
    assert!(scene.committed("b").is_some() && scene.committed("a").is_none());
}

#[tokio::test]
async fn a_catalog_that_breaks_off_leaves_discovery_incomplete() {
    let scene = Scene::of(MemoryRegistry {
        page: 2,
        ..MemoryRegistry::default()
    });
    for n in 0..6 {
        scene.registry.image(&format!("r{n}"), "1", &n.to_string());
    }
    scene.registry.fail(
        Request::Catalog(1),
        Failure::Lasting,
        FindingCode::ListingIncomplete,
    );
    let (state, _) = scene.run().await;
    assert_eq!(state, RunState::Partial);
    let closing = scene.closing();
    assert!(!closing.discovery_complete && closing.failure.is_none());
    assert_eq!(closing.discovery[0].found, 2);
    assert!(scene.committed("r1").is_some());
}

#[tokio::test]
async fn nothing_to_be_read_is_a_failure_with_its_reason() {
    for (request, failure, code) in [
        (Request::Open, Failure::Everywhere, FindingCode::TlsUntrusted),
        (Request::Open, Failure::Passing, FindingCode::Unreachable),
        (Request::Open, Failure::Lasting, FindingCode::Protocol),
        (Request::Catalog(0), Failure::Denied, FindingCode::CatalogDenied),
        (
            Request::Catalog(0),
            Failure::Everywhere,
            FindingCode::AuthenticationFailed,
        ),
    ] {
        let scene = Scene::new();
        scene.registry.image("r", "1", "r");
        scene.registry.fail(request, failure, code);
        let (state, log) = scene.run().await;
        assert_eq!(state, RunState::Failed);
        let closing = scene.closing();
        assert_eq!(closing.failure.map(|finding| finding.code), Some(code));
        assert_eq!(fetched(&log), []);
    }
}

#[tokio::test]
async fn every_repository_closed_is_a_failure_with_its_reason() {
    let mut scene = Scene::new();
    for name in ["denied", "missing", "scope"] {
        scene.registry.image(name, "1", name);
    }
    for (name, failure, code) in [
        ("denied", Failure::Denied, FindingCode::Denied),
        ("missing", Failure::Missing, FindingCode::RepositoryMissing),
        ("scope", Failure::Denied, FindingCode::GitLabScopeMissing),
    ] {
        scene.registry.fail(Request::Tags(name.into(), 0), failure, code);
    }
    assert_eq!(scene.run().await.0, RunState::Failed);
    let failure = scene.closing().failure.map(|finding| finding.code);
    assert_eq!(failure, Some(FindingCode::GitLabScopeMissing));
    assert_eq!(scene.control_plane.state().coverage.len(), 3);
    scene.patterns(&["missing"]);
    assert_eq!(
        scene.run().await.0,
        RunState::Partial,
        "that something is not there is an answer"
    );
}

#[tokio::test]
async fn patterns_that_take_in_nothing_are_told() {
    let mut scene = Scene::new();
    scene.registry.image("acme/shop", "1", "shop");
    scene.patterns(&["amce/**"]);
    assert_eq!(scene.run().await.0, RunState::Complete);
    let closing = scene.closing();
    assert_eq!((closing.found, closing.filtered), (1, 1));
    let told = closing.discovery[0].finding.as_ref().map(|finding| finding.code);
    assert_eq!(told, Some(FindingCode::FilterMatchesNothing));
    scene.patterns(&["acme/**"]);
    scene.run().await;
    assert_eq!(scene.closing().discovery[0].finding, None);
}

#[tokio::test]
async fn an_attempt_that_reads_nothing_does_not_undo_what_an_earlier_one_read() {
    let mut scene = Scene::new();
    scene.registry.image("r", "1", "r");
    scene.run().await;
    scene.walk.resumed = true;
    scene
        .registry
        .fail(Request::Open, Failure::Passing, FindingCode::Unreachable);
    assert_eq!(scene.attempt().await.unwrap().state, RunState::Partial);
    let closing = scene.closing();
    assert!(closing.failure.is_none() && !closing.discovery_complete);
    assert_eq!(
        closing.discovery[0].finding.as_ref().map(|finding| finding.code),
        Some(FindingCode::Unreachable)
    );
}

#[tokio::test]
async fn a_registry_that_goes_away_ends_the_run_early() {
    let mut scene = Scene::new();
    scene.walk.pace.repositories = 1;
    scene.walk.pace.tags = 1;
    for n in 0..50 {
        scene.registry.image(&format!("r{n:02}"), "1", &n.to_string());
    }
    scene.registry.fail(
        Request::Tags("r10".into(), 0),
        Failure::Everywhere,
        FindingCode::AuthenticationFailed,
    );
    let (state, log) = scene.run().await;
    assert_eq!(state, RunState::Partial);
    assert!(scene.committed("r09").is_some() && scene.closing().failure.is_none());
    for n in 10..50 {
        assert_eq!(
            scene.reported(&format!("r{n}")),
            Some((Outcome::Failed, Some(FindingCode::AuthenticationFailed)))
        );
    }
    assert!(
        !log.contains(&Request::Tags("r11".into(), 0)),
        "nothing more is asked"
    );
}

#[tokio::test]
async fn a_registry_that_stops_answering_is_not_asked_for_ever() {
    let mut scene = Scene::new();
    scene.walk.pace.failures = 5;
    scene.walk.pace.repositories = 1;
    for n in 0..50 {
        let name = format!("r{n:02}");
        scene.registry.image(&name, "1", &n.to_string());
        if n >= 10 {
            scene
                .registry
                .fail(Request::Tags(name, 0), Failure::Passing, FindingCode::Unreachable);
        }
    }
    let (state, log) = scene.run().await;
    assert_eq!(state, RunState::Partial);
    let asked = log
        .iter()
        .filter(|request| matches!(request, Request::Tags(_, 0)))
        .count();
    assert_eq!(asked, 15);
    assert_eq!(
        scene.reported("r49"),
        Some((Outcome::Failed, Some(FindingCode::Unreachable)))
    );
}

#[tokio::test]
async fn many_entries_of_coverage_travel_in_pages() {
    let scene = Scene::new();
    let denied = limits::COVERAGE_ENTRIES_PER_PAGE + 1;
    for n in 0..denied {
        let name = format!("denied-{n}");
        scene.registry.image(&name, "1", "the same everywhere");
        scene
            .registry
            .fail(Request::Tags(name, 0), Failure::Denied, FindingCode::Denied);
    }
    scene.registry.image("open", "1", "the same everywhere");
    let (state, _) = scene.run().await;
    assert_eq!(state, RunState::Partial);
    assert_eq!(scene.control_plane.state().coverage.len(), denied);
    let calls = scene.control_plane.state().calls.clone();
    let pages: Vec<usize> = calls
        .iter()
        .filter(|(name, _)| *name == "coverage")
        .map(|(_, items)| *items)
        .collect();
    assert_eq!(pages, [limits::COVERAGE_ENTRIES_PER_PAGE, 1]);
}

#[tokio::test]
async fn tags_beyond_the_bound_are_cut_off_and_told() {
    let mut scene = Scene::of(MemoryRegistry {
        page: 10_000,
        ..MemoryRegistry::default()
    });
    let (image, config) = image::image("the only one");
    scene.registry.add(&config);
    for (name, tags) in [
        ("full", limits::TAGS_PER_REPOSITORY),
        ("over", limits::TAGS_PER_REPOSITORY + 1),
    ] {
        for n in 0..tags {
            scene.registry.tag_digest(name, &format!("t{n}"), &image.digest);
        }
    }
    scene.registry.add(&image);
    scene.walk.pace.requests = 8;
    let (state, _) = scene.run().await;
    assert_eq!(state, RunState::Partial);
    assert_eq!(scene.committed("full"), Some((Outcome::Listed, None)));
    assert_eq!(
        scene.committed("over"),
        Some((Outcome::Truncated, Some(FindingCode::RepositoryTruncated)))
    );
    let stored = scene.control_plane.state().repositories["over"].tags.len();
    assert_eq!(stored, limits::TAGS_PER_REPOSITORY);
}
