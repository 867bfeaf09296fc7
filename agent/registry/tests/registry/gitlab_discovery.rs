//! How GitLab's repositories are found, with one kind of credential after the other.

use portolan_registry::Registry;
use portolan_shared::model::{DiscoveryMethod, FindingCode};

use crate::client::client;
use crate::gitlab::{DEPLOY, TOKEN, climb, open, paths, registry, scope_missing, wanted};
use crate::server::{Answer, Heard, Server};

/// The projects API with two pages of projects, the second behind a link to another host.
fn projects(heard: &Heard) -> Answer {
    match (heard.path.as_str(), heard.query.as_str()) {
        ("/api/v4/projects", query) if query.contains("id_after=44") => Answer::json(
            r#"[{"id":45,"path_with_namespace":"Acme/Upper","container_registry_enabled":true}]"#,
        ),
        ("/api/v4/projects", query) => {
            for part in [
                "membership=true",
                "min_access_level=20",
                "pagination=keyset",
                "order_by=id",
                "sort=asc",
                "per_page=100",
            ] {
                assert!(query.contains(part), "{part} in {query}");
            }
            assert!(!query.contains("simple"), "it would hide which registries are on");
            let next =
                format!("<https://elsewhere.example.com/api/v4/projects?id_after=44&{query}>; rel=\"next\"");
            Answer::json(
                r#"[{"id":42,"path_with_namespace":"acme/shop","container_registry_access_level":"private"},
                    {"id":43,"path_with_namespace":"acme/off","container_registry_access_level":"disabled"},
                    {"id":44,"path_with_namespace":"acme/old","container_registry_enabled":false}]"#,
            )
            .with("link", next)
        }
        ("/api/v4/projects/42/registry/repositories", query) if query.contains("page=2") => {
            Answer::json(r#"[{"id":2,"name":"api","path":"acme/shop/api"},{"id":9,"path":"not a name"}]"#)
                .with("x-next-page", "")
        }
        ("/api/v4/projects/42/registry/repositories", _) => {
            Answer::json(r#"[{"id":1,"name":"","path":"acme/shop"}]"#).with("x-next-page", "2")
        }
        ("/api/v4/projects/45/registry/repositories", _) => {
            Answer::json(r#"[{"id":3,"name":"","path":"Acme/Upper"}]"#)
        }
        _ => registry(heard),
    }
}

#[tokio::test]
async fn projects_show_everything_and_links_lead_nowhere_else() {
    let server = Server::start(projects).await;
    let registry = open(&server, "reader", TOKEN).await;
    let (names, steps, complete) = climb(registry.repositories(&wanted(&[]))).await;
    assert_eq!(names, ["acme/shop", "acme/shop/api", "acme/upper"]);
    assert!(complete);
    assert_eq!(steps.len(), 1, "{steps:?}");
    assert_eq!(
        (steps[0].method, steps[0].found),
        (DiscoveryMethod::GitLabProjects, 3)
    );
    assert_eq!(
        steps[0].finding.as_ref().unwrap().code,
        FindingCode::NameMalformed
    );
    for heard in server.heard() {
        if heard.path.starts_with("/api/v4/") {
            assert_eq!(
                heard.header("authorization"),
                Some(format!("Bearer {TOKEN}").as_str())
            );
        }
        assert!(
            !heard.path.contains("/43/") && !heard.path.contains("/44/"),
            "{}",
            heard.path
        );
    }
    let paths = paths(&server);
    let login = paths.iter().position(|path| path == "/jwt/auth").unwrap();
    let api = paths.iter().position(|path| path.starts_with("/api/")).unwrap();
    assert!(login < api, "the login is tried where it counts first: {paths:?}");
}

#[tokio::test]
async fn what_the_operator_named_is_found_whatever_the_projects_show() {
    let server = Server::start(projects).await;
    let registry = open(&server, "reader", TOKEN).await;
    let wanted = wanted(&["acme/**", "public/image", "acme/shop"]);
    let (names, steps, complete) = climb(registry.repositories(&wanted)).await;
    assert_eq!(
        names,
        ["acme/shop", "acme/shop/api", "acme/upper", "public/image"]
    );
    assert!(complete);
    let methods: Vec<_> = steps.iter().map(|step| (step.method, step.found)).collect();
    assert_eq!(
        methods,
        [
            (DiscoveryMethod::GitLabProjects, 3),
            (DiscoveryMethod::Explicit, 1)
        ]
    );
}

#[tokio::test]
async fn one_project_that_cannot_be_listed_leaves_the_others_and_is_told() {
    let server = Server::start(|heard| match heard.path.as_str() {
        "/api/v4/projects/42/registry/repositories" => {
            Answer::json(r#"{"message":"403 Forbidden"}"#).but(403)
        }
        "/api/v4/personal_access_tokens/self/associations" => Answer::json(
            r#"{"groups":[],"projects":[
                {"id":42,"path_with_namespace":"acme/shop","access_levels":{"project_access_level":30,"group_access_level":null}},
                {"id":7,"path_with_namespace":"acme/guest","access_levels":{"project_access_level":null,"group_access_level":10}}]}"#,
        ),
        _ => projects(heard),
    })
    .await;
    let registry = open(&server, "reader", TOKEN).await;
    let (names, steps, complete) = climb(registry.repositories(&wanted(&[]))).await;
    assert_eq!(
        names,
        ["acme/upper", "acme/shop"],
        "the root of what could not be listed is known"
    );
    assert!(!complete);
    let codes: Vec<_> = steps
        .iter()
        .map(|step| {
            (
                step.method.as_str(),
                step.finding.as_ref().map(|finding| finding.code),
            )
        })
        .collect();
    assert_eq!(
        codes,
        [
            ("gitlab.projects", Some(FindingCode::ViewIsPartial)),
            ("gitlab.associations", Some(FindingCode::ViewIsPartial)),
            ("catalog", Some(FindingCode::CatalogDenied)),
        ]
    );
    let seen = |index: usize| steps[index].finding.as_ref().unwrap().seen.as_str();
    assert!(
        seen(0).contains("2 have their registry switched off"),
        "{}",
        seen(0)
    );
    assert!(
        seen(1).contains("in 1 the owner's role is below Reporter"),
        "{}",
        seen(1)
    );
}

#[tokio::test]
async fn a_token_that_may_only_pull_shows_the_roots_of_its_projects() {
    let server = Server::start(|heard| match heard.path.as_str() {
        "/api/v4/personal_access_tokens/self/associations"
            if heard.parameter("page").as_deref() == Some("1") =>
        {
            Answer::json(r#"{"projects":[{"id":42,"path_with_namespace":"acme/Shop"}]}"#)
                .with("x-next-page", "2")
        }
        "/api/v4/personal_access_tokens/self/associations" => {
            Answer::json(r#"{"projects":[{"id":43,"path_with_namespace":"acme/tools"}]}"#)
        }
        path if path.starts_with("/api/v4/") => scope_missing(),
        _ => registry(heard),
    })
    .await;
    let registry = open(&server, "reader", TOKEN).await;
    let (names, steps, complete) = climb(registry.repositories(&wanted(&["acme/*"]))).await;
    assert_eq!(names, ["acme/shop", "acme/tools"]);
    assert!(!complete);
    let codes: Vec<_> = steps
        .iter()
        .map(|step| {
            (
                step.method.as_str(),
                step.finding.as_ref().map(|finding| finding.code),
            )
        })
        .collect();
    assert_eq!(
        codes,
        [
            ("gitlab.projects", Some(FindingCode::NativeApiRefused)),
            ("gitlab.associations", Some(FindingCode::ViewIsPartial)),
            ("gitlab.groups", Some(FindingCode::NativeApiRefused)),
            ("catalog", Some(FindingCode::CatalogDenied)),
        ]
    );
}

#[tokio::test]
async fn what_lies_outside_of_the_owners_projects_is_told_and_nothing_is_made_of_it() {
    let server = Server::start(|heard| match heard.path.as_str() {
        "/api/v4/projects" => {
            Answer::json(r#"[{"id":45},{"id":46,"container_registry_access_level":"disabled"}]"#)
        }
        _ => projects(heard),
    })
    .await;
    let registry = open(&server, "reader", TOKEN).await;
    let (names, steps, complete) = climb(registry.repositories(&wanted(&["acme/*"]))).await;
    assert_eq!(names, ["acme/upper"]);
    assert!(complete && steps.len() == 1 && steps[0].complete, "{steps:?}");
    let finding = steps[0].finding.as_ref().unwrap();
    assert_eq!(finding.code, FindingCode::ViewIsPartial);
    for part in [
        "public and internal projects of which the owner is no member are not listed",
        "1 have their registry switched off",
    ] {
        assert!(finding.seen.contains(part), "{finding}");
    }

    let (_, steps, complete) = climb(registry.repositories(&wanted(&["others/*"]))).await;
    assert!(complete);
    assert_eq!(
        steps[0].finding, None,
        "that nothing found is wanted is another finding"
    );
}

#[tokio::test]
async fn projects_whose_registries_are_all_off_are_counted() {
    let server = Server::start(|heard| match heard.path.as_str() {
        "/api/v4/projects" => Answer::json(r#"[{"id":46,"container_registry_enabled":false}]"#),
        _ => projects(heard),
    })
    .await;
    let registry = open(&server, "reader", TOKEN).await;
    let (names, steps, complete) = climb(registry.repositories(&wanted(&[]))).await;
    assert!(names.is_empty() && complete);
    let finding = steps[0].finding.as_ref().unwrap();
    assert_eq!(finding.code, FindingCode::NothingVisible);
    assert!(
        finding.seen.contains("1 have their registry switched off"),
        "{finding}"
    );
}

#[tokio::test]
async fn groups_that_patterns_name_are_asked_when_projects_cannot_be_listed() {
    let server = Server::start(|heard| match heard.path.as_str() {
        "/api/v4/projects" => Answer::status(405).body(r#"{"error":"offset pagination"}"#),
        "/api/v4/groups/acme/registry/repositories" if heard.parameter("page").as_deref() == Some("1") => {
            Answer::json(r#"[{"id":1,"path":"acme/shop"}]"#).with(
                "link",
                "<http://x/api/v4/groups/acme/registry/repositories?page=2&per_page=100>; rel=\"next\"",
            )
        }
        "/api/v4/groups/acme/registry/repositories" => Answer::json(r#"[{"id":2,"path":"acme/shop/api"}]"#),
        // `acme/shop` is a project, not a group: its group is asked instead, once.
        path if path.starts_with("/api/v4/groups/") => {
            Answer::json(r#"{"message":"404 Group Not Found"}"#).but(404)
        }
        _ => registry(heard),
    })
    .await;
    let registry = open(&server, "reader", TOKEN).await;
    let (names, steps, complete) = climb(registry.repositories(&wanted(&["acme/shop/*", "acme/x-*"]))).await;
    assert_eq!(names, ["acme/shop", "acme/shop/api"]);
    assert!(complete, "every pattern lies in this group: {steps:?}");
    let asked: Vec<_> = paths(&server)
        .into_iter()
        .filter(|path| path.starts_with("/api/v4/groups/"))
        .collect();
    assert_eq!(asked, ["/api/v4/groups/acme/registry/repositories"; 2]);

    let registry = open(&server, "reader", TOKEN).await;
    let (_, steps, complete) = climb(registry.repositories(&wanted(&["gone/**", "acme/shop/*"]))).await;
    assert!(!complete);
    let groups = steps
        .iter()
        .find(|step| step.method == DiscoveryMethod::GitLabGroups)
        .unwrap();
    assert_eq!(groups.finding.as_ref().unwrap().code, FindingCode::ViewIsPartial);
    assert_eq!(groups.found, 2);
}

#[tokio::test]
async fn a_deploy_token_never_comes_near_the_api_and_needs_names() {
    let server = Server::start(registry).await;
    let registry = open(&server, "gitlab+deploy-token-1", DEPLOY).await;
    let (names, steps, complete) = climb(registry.repositories(&wanted(&["acme/*"]))).await;
    assert!(names.is_empty() && !complete);
    let last = steps.last().unwrap();
    assert_eq!(
        (last.method, last.finding.as_ref().unwrap().code),
        (DiscoveryMethod::Explicit, FindingCode::NamesNeeded)
    );
    let first = steps.first().unwrap().finding.as_ref().unwrap();
    assert_eq!(first.code, FindingCode::NativeApiNotAsked);
    assert!(first.seen.contains("deploy token"), "{first}");

    let (names, _, complete) = climb(registry.repositories(&wanted(&["acme/shop/api", "acme/*"]))).await;
    assert_eq!(names, ["acme/shop/api"]);
    assert!(!complete, "what else there is, nobody knows");
    let (names, steps, complete) = climb(registry.repositories(&wanted(&["acme/shop/api"]))).await;
    assert_eq!((names.len(), steps.len(), complete), (1, 1, true));
    registry.facts().await;
    registry.advisories(&"acme/shop/api".parse().unwrap()).await;
    let api = paths(&server)
        .into_iter()
        .filter(|path| path.starts_with("/api/"));
    assert_eq!(api.count(), 0);
}

#[tokio::test]
async fn a_stranger_is_told_that_names_are_needed() {
    let server = Server::start(registry).await;
    let registry = Registry::open(client(&server.url())).await.unwrap();
    let (names, steps, _) = climb(registry.repositories(&wanted(&[]))).await;
    assert!(names.is_empty());
    assert_eq!(
        steps.last().unwrap().finding.as_ref().unwrap().code,
        FindingCode::NamesNeeded
    );
    assert_eq!(server.count("/api/"), 0);
}

#[tokio::test]
async fn nothing_to_be_seen_is_not_the_same_as_no_way_to_look() {
    let server = Server::start(|heard| match heard.path.as_str() {
        "/api/v4/projects" => Answer::json("[]"),
        _ => registry(heard),
    })
    .await;
    let registry = open(&server, "reader", TOKEN).await;
    let (names, steps, complete) = climb(registry.repositories(&wanted(&[]))).await;
    assert!(names.is_empty() && complete);
    assert_eq!(
        steps[0].finding.as_ref().unwrap().code,
        FindingCode::NothingVisible
    );
}

#[tokio::test]
async fn pages_that_lead_in_circles_end_and_say_so() {
    let server = Server::start(|heard| match heard.path.as_str() {
        "/api/v4/projects" => Answer::json("[]").with("link", "<?id_after=1>; rel=\"next\""),
        path if path.starts_with("/api/v4/") => scope_missing(),
        _ => registry(heard),
    })
    .await;
    let registry = open(&server, "reader", TOKEN).await;
    let (_, steps, complete) = climb(registry.repositories(&wanted(&[]))).await;
    assert!(!complete);
    let finding = steps[0].finding.as_ref().unwrap();
    assert_eq!(finding.code, FindingCode::ViewIsPartial);
    assert!(finding.seen.contains("circles"), "{finding}");
    assert_eq!(server.count("/api/v4/projects"), 2);
}

#[tokio::test]
async fn a_refused_login_at_the_api_is_not_repeated() {
    let server = Server::start(|heard| match heard.path.as_str() {
        path if path.starts_with("/api/v4/") => Answer::json(r#"{"message":"401 Unauthorized"}"#).but(401),
        _ => registry(heard),
    })
    .await;
    let registry = open(&server, "reader", "a password").await;
    let (names, steps, _) = climb(registry.repositories(&wanted(&["acme/*"]))).await;
    assert!(names.is_empty() && steps.len() == 5, "{steps:?}");
    registry.facts().await;
    assert_eq!(server.count("/api/v4/"), 1);
}

#[tokio::test]
async fn an_administrator_is_shown_the_catalog_as_well() {
    let server = Server::start(|heard| match heard.path.as_str() {
        "/api/v4/user" => Answer::json(r#"{"id":1,"username":"root","is_admin":true}"#),
        "/v2/_catalog" if heard.header("authorization") == Some("Bearer for registry:catalog:*") => {
            Answer::json(r#"{"repositories":["acme/shop","others/image"]}"#)
        }
        _ => projects(heard),
    })
    .await;
    let registry = open(&server, "root", TOKEN).await;
    let (names, steps, complete) = climb(registry.repositories(&wanted(&[]))).await;
    assert_eq!(
        names,
        ["acme/shop", "acme/shop/api", "acme/upper", "others/image"]
    );
    assert!(complete);
    assert_eq!(steps.last().unwrap().method, DiscoveryMethod::Catalog);
    assert_eq!(
        steps[0].finding.as_ref().unwrap().code,
        FindingCode::ViewIsPartial
    );
}
