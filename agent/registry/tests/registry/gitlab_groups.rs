//! The groups that patterns name: one that is closed does not stop the others, and what is no group may be a project.

use portolan_shared::model::{DiscoveryMethod, DiscoveryStep, FindingCode};

use crate::gitlab::{TOKEN, climb, open, paths, registry, wanted};
use crate::server::{Answer, Heard, Server};

/// The group `acme`, the group `closed` that may not be read, the group `broken`, and the project `solo/app`, of whose group nothing is visible.
fn groups(heard: &Heard) -> Answer {
    match heard.path.as_str() {
        "/api/v4/projects" => Answer::status(405).body("{}"),
        "/api/v4/groups/acme/registry/repositories" => Answer::json(r#"[{"id":1,"path":"acme/shop"}]"#),
        "/api/v4/groups/closed/registry/repositories" => {
            Answer::json(r#"{"message":"403 Forbidden"}"#).but(403)
        }
        "/api/v4/groups/broken/registry/repositories" => Answer::status(500),
        "/api/v4/projects/solo%2Fapp/registry/repositories" => {
            Answer::json(r#"[{"id":5,"path":"solo/app"},{"id":6,"path":"solo/app/web"}]"#)
        }
        _ => registry(heard),
    }
}

async fn find(server: &Server, patterns: &[&str]) -> (Vec<String>, DiscoveryStep, bool) {
    let registry = open(server, "reader", TOKEN).await;
    let (names, steps, complete) = climb(registry.repositories(&wanted(patterns))).await;
    let of_groups = |step: &&DiscoveryStep| step.method == DiscoveryMethod::GitLabGroups;
    (names, steps.iter().find(of_groups).unwrap().clone(), complete)
}

#[tokio::test]
async fn a_group_that_cannot_be_listed_leaves_the_others_and_is_counted() {
    let server = Server::start(groups).await;
    let (names, step, complete) = find(&server, &["acme/**", "broken/**", "closed/**", "solo/app/*"]).await;
    assert_eq!(names, ["acme/shop", "solo/app", "solo/app/web"]);
    assert!(!complete && !step.complete);
    let finding = step.finding.unwrap();
    assert_eq!(finding.code, FindingCode::ViewIsPartial);
    assert!(
        finding
            .seen
            .contains("2 groups or projects that the patterns name could not be listed"),
        "{finding}"
    );
}

#[tokio::test]
async fn where_no_group_can_be_listed_the_way_is_closed() {
    let server = Server::start(groups).await;
    let (names, step, complete) = find(&server, &["closed/**"]).await;
    assert!(names.is_empty() && !complete);
    assert_eq!(step.finding.unwrap().code, FindingCode::NativeApiRefused);
}

#[tokio::test]
async fn a_project_is_listed_where_its_group_is_not_visible() {
    let server = Server::start(groups).await;
    let (names, step, complete) = find(&server, &["solo/app/*", "solo/app/web/*"]).await;
    assert_eq!(names, ["solo/app", "solo/app/web"]);
    assert!(complete && step.complete, "{step:?}");
    let asked: Vec<_> = paths(&server)
        .into_iter()
        .filter(|path| path.contains("solo"))
        .collect();
    assert_eq!(
        asked,
        [
            "/api/v4/groups/solo%2Fapp/registry/repositories",
            "/api/v4/projects/solo%2Fapp/registry/repositories",
        ]
    );

    let (names, _, complete) = find(&server, &["solo/app/web/*"]).await;
    assert_eq!(names.len(), 2, "the project is above the folder");
    assert!(complete);
}

#[tokio::test]
async fn what_is_hidden_is_asked_for_once() {
    let server = Server::start(groups).await;
    let (names, step, complete) = find(&server, &["gone/a/*", "gone/b/*", "acme/*"]).await;
    assert_eq!(names, ["acme/shop"]);
    assert!(!complete);
    assert!(
        step.finding
            .unwrap()
            .seen
            .contains("1 groups that the patterns name are not visible, first gone")
    );
    assert_eq!(server.count("/api/v4/groups/gone/"), 1);
}
