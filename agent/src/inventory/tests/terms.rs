//! What the machine's administrator says.

use futures::FutureExt as _;
use portolan_shared::model::manifest::FactsField;
use portolan_shared::model::{
    Finding, FindingCode, RepositoryOutcome as Outcome, RepositoryPatterns, RunState,
};

use super::registry::Request;
use super::scene::{NEVER, Scene};
use crate::inventory::Terms;

const REFUSED: Option<FindingCode> = Some(FindingCode::PolicyRefused);

fn terms(patterns: &[&str]) -> Terms {
    let patterns = patterns.iter().map(ToString::to_string).collect();
    Terms {
        repositories: RepositoryPatterns::new(patterns).unwrap(),
        rule: "policy:allow[1]".to_owned(),
        ..Terms::unbounded()
    }
}

#[tokio::test]
async fn repositories_that_are_not_allowed_are_reported_and_never_asked_for() {
    let mut scene = Scene::new();
    for name in ["acme/shop", "acme/tmp/x", "other"] {
        scene.registry.image(name, "1", name);
    }
    scene.walk.terms = terms(&["acme/**", "!acme/tmp/**"]);
    let (state, log) = scene.run().await;
    assert_eq!(state, RunState::Partial);
    assert_eq!(scene.committed("acme/shop"), Some((Outcome::Listed, None)));
    for name in ["acme/tmp/x", "other"] {
        assert_eq!(scene.reported(name), Some((Outcome::Refused, REFUSED)), "{name}");
        assert!(!log.contains(&Request::Tags(name.into(), 0)), "{name}");
    }
}

#[tokio::test]
async fn a_job_that_names_repositories_widens_nothing() {
    let mut scene = Scene::new();
    scene.registry.image("secret/keys", "1", "x");
    scene.walk.terms = terms(&["acme/**"]);
    scene.patterns(&["secret/keys"]);
    scene.walk.scope.repositories = vec!["secret/keys".parse().unwrap()];
    let (state, log) = scene.run().await;
    assert_eq!(state, RunState::Failed);
    assert_eq!(scene.closing().failure.map(|finding| finding.code), REFUSED);
    assert!(!log.iter().any(|request| matches!(request, Request::Tags(..))));
}

#[tokio::test]
async fn withheld_facts_are_not_sent_and_that_is_told() {
    let scene = Scene::new();
    scene.registry.image("acme/shop", "1", "the author");
    scene.run().await;
    let sent = |scene: &Scene| scene.control_plane.state().facts_json.concat();
    assert!(sent(&scene).contains("the author"));

    let mut scene = Scene::new();
    scene.registry.image("acme/shop", "1", "the author");
    scene.walk.terms.withheld = vec![FactsField::Author];
    let (state, _) = scene.run().await;
    assert_eq!(state, RunState::Complete);
    assert!(!sent(&scene).contains("the author"));
    assert!(
        sent(&scene).contains(r#""withheld":["author"]"#),
        "{}",
        sent(&scene)
    );
}

#[tokio::test]
async fn a_job_ends_when_it_is_told_to_even_if_nobody_answers() {
    let scene = Scene::new();
    scene.registry.image("acme/shop", "1", "x");
    // Requests that have begun to wait for the lease wait for ever.
    scene.asks_until.send_replace(NEVER);
    let over = Finding::new(FindingCode::PolicyRefused, "policy:limits.job_duration: over");
    let mut run = Box::pin(scene.run());
    assert!((&mut run).now_or_never().is_none());
    scene.ended.send_replace(Some(over.clone()));
    let (state, log) = run.await;
    assert_eq!((state, log.len()), (RunState::Failed, 0));
    assert_eq!(scene.closing().failure, Some(over));
}
