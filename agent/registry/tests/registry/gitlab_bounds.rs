//! What GitLab's lists leave out without a word, and what has no end.

use portolan_registry::{Registry, RegistryClient};
use portolan_shared::model::{DiscoveryStep, FindingCode, ListingMethod};

use crate::client::{access, login};
use crate::gitlab::{TOKEN, climb, open, registry, wanted};
use crate::server::{Answer, Heard, Server};

const REPOSITORIES: &str = "/api/v4/projects/42/registry/repositories";
const TAGS: &str = "/gitlab/v1/repositories/acme/shop/tags/list/";

fn project(id: u64) -> String {
    format!(r#"{{"id":{id},"container_registry_access_level":"disabled"}}"#)
}

fn one_project(heard: &Heard) -> Answer {
    match heard.path.as_str() {
        "/api/v4/projects" => Answer::json(r#"[{"id":42}]"#),
        REPOSITORIES => Answer::json(r#"[{"id":1,"path":"acme/shop"}]"#),
        _ => registry(heard),
    }
}

fn list(rows: impl IntoIterator<Item = String>) -> Answer {
    Answer::json(format!("[{}]", rows.into_iter().collect::<Vec<_>>().join(",")))
}

async fn find(server: &Server) -> (Vec<String>, DiscoveryStep, bool) {
    let registry = open(server, "reader", TOKEN).await;
    let (names, steps, complete) = climb(registry.repositories(&wanted(&[]))).await;
    (names, steps[0].clone(), complete)
}

fn has_token(heard: &Heard) -> bool {
    heard.header("authorization").is_some()
}

#[tokio::test]
async fn whoever_cannot_be_told_from_an_administrator_has_not_seen_everything() {
    for (number, (user, is_complete)) in [
        (Answer::json(r#"{"id":7,"username":"reader"}"#), true),
        (Answer::json(r#"{"id":7,"is_admin":false}"#), true),
        (Answer::json(r#"{"id":1,"is_admin":true}"#), false),
        (Answer::status(500), false),
        (Answer::status(404), false),
        (Answer::json("{}"), false),
        (Answer::json("<html>"), false),
    ]
    .into_iter()
    .enumerate()
    {
        let server = Server::start(move |heard| match heard.path.as_str() {
            "/api/v4/user" => user.clone(),
            _ => one_project(heard),
        })
        .await;
        let (names, step, complete) = find(&server).await;
        assert_eq!(names, ["acme/shop"], "{number}");
        assert_eq!((step.complete, complete), (is_complete, is_complete), "{number}");
    }
}

#[tokio::test]
async fn a_full_page_without_a_link_is_followed_by_a_question() {
    let server = Server::start(|heard| match heard.path.as_str() {
        "/api/v4/projects" => match heard.parameter("id_after").as_deref() {
            None => list((1..=100).map(project)),
            Some("100") => list((101..=199).map(project).chain([r#"{"id":42}"#.to_owned()])),
            Some("42") => list([]),
            other => panic!("{other:?}"),
        },
        REPOSITORIES if heard.parameter("page").as_deref() == Some("2") => {
            list([r#"{"id":200,"path":"acme/last"}"#.to_owned()])
        }
        REPOSITORIES => list((0..100).map(|id| format!(r#"{{"id":{id},"path":"acme/r{id}"}}"#))),
        _ => registry(heard),
    })
    .await;
    let (names, step, complete) = find(&server).await;
    assert_eq!((names.len(), complete), (101, true), "{step:?}");
    assert_eq!(server.count("/api/v4/projects"), 5);
}

#[tokio::test]
async fn a_full_page_that_nothing_leads_on_from_is_not_everything() {
    let same = |_: &Heard| list((1..=100).map(project));
    let refused = |heard: &Heard| match heard.parameter("id_after") {
        None => list((1..=100).map(project)),
        Some(_) => Answer::json(r#"{"error":"id_after is invalid"}"#).but(400),
    };
    let broken = |heard: &Heard| match heard.parameter("id_after") {
        None => list((1..=100).map(project)),
        Some(_) => Answer::json("{}"),
    };
    for projects in [same as fn(&Heard) -> Answer, refused, broken] {
        let server = Server::start(move |heard| match heard.path.as_str() {
            "/api/v4/projects" => projects(heard),
            _ => registry(heard),
        })
        .await;
        let (_, step, complete) = find(&server).await;
        assert!(!complete && !step.complete, "{step:?}");
        assert!(step.finding.unwrap().seen.contains("full page"));
        assert_eq!(server.count("/api/v4/projects"), 2);
    }
}

#[tokio::test]
async fn rows_that_cannot_be_read_are_not_gone() {
    for (projects, repositories) in [
        (r#"[{"id":42},{"path":"x"}]"#, r#"[{"path":"acme/shop"}]"#),
        (r#"[{"id":42}]"#, r#"[{"path":"acme/shop"},{"id":2}]"#),
        (r#"[{"id":42}]"#, r#"[{"path":"acme/shop"},7]"#),
    ] {
        let server = Server::start(move |heard| match heard.path.as_str() {
            "/api/v4/projects" => Answer::json(projects),
            REPOSITORIES => Answer::json(repositories),
            _ => registry(heard),
        })
        .await;
        let (names, step, complete) = find(&server).await;
        assert_eq!((names.len(), complete), (1, false), "{projects} {repositories}");
        assert_eq!(step.finding.unwrap().code, FindingCode::ListingIncomplete);
    }
}

#[tokio::test]
async fn a_page_with_more_rows_than_pages_have_is_no_list() {
    for (rows, is_complete) in [(1_000_u64, true), (1_001, false)] {
        let server = Server::start(move |heard| match heard.path.as_str() {
            "/api/v4/projects" if heard.query.contains("id_after") => list([]),
            "/api/v4/projects" => list((1..=rows).map(project)),
            _ => registry(heard),
        })
        .await;
        let (_, step, complete) = find(&server).await;
        assert_eq!((step.complete, complete), (is_complete, is_complete), "{rows}");
    }
}

#[tokio::test]
async fn the_ladder_gives_no_more_names_than_are_kept_and_says_so() {
    for (bound, is_complete) in [(1, false), (2, true)] {
        let server = Server::start(|heard| match heard.path.as_str() {
            REPOSITORIES => {
                Answer::json(r#"[{"path":"acme/shop"},{"path":"acme/shop"},{"path":"acme/tools"}]"#)
            }
            _ => one_project(heard),
        })
        .await;
        let mut access = access(&server.url());
        access.credentials = std::sync::Arc::new(login());
        access.limits.repositories = bound;
        let registry = Registry::open(RegistryClient::new(access).unwrap())
            .await
            .unwrap();
        let ladder = registry.repositories(&wanted(&["acme/*", "named/one"]));
        let (names, steps, complete) = climb(ladder).await;
        assert_eq!((names.len(), complete), (bound + 1, is_complete), "{steps:?}");
        assert!(
            names.contains(&"named/one".to_owned()),
            "what was named is beside the bound"
        );
        assert_eq!((steps[0].complete, steps.len()), (is_complete, 2));
        let code = steps[0].finding.as_ref().map(|finding| finding.code);
        assert_eq!(code == Some(FindingCode::ListingIncomplete), !is_complete);
    }
}

async fn tags(server: &Server) -> (usize, Option<FindingCode>, ListingMethod) {
    let registry = open(server, "reader", TOKEN).await;
    let mut list = registry.tags(&"acme/shop".parse().unwrap());
    let mut count = 0;
    while let Some(page) = list.next_page().await.unwrap() {
        count += page.tags.len();
    }
    let shortfall = list.shortfall().map(|finding| finding.code);
    (count, shortfall, list.method())
}

fn tag(number: usize) -> String {
    format!(r#"{{"name":"t{number:04}"}}"#)
}

#[tokio::test]
async fn a_full_page_of_tags_without_a_link_is_followed_by_a_question() {
    let goes_on = |heard: &Heard| match heard.parameter("last").as_deref() {
        None => list((0..1_000).map(tag)),
        Some("t0999") => list([tag(1_000)]),
        other => panic!("{other:?}"),
    };
    let ends = |heard: &Heard| match heard.parameter("last") {
        None => list((0..1_000).map(tag)),
        Some(_) => list([]),
    };
    let same = |_: &Heard| list((0..1_000).map(tag));
    let refused = |heard: &Heard| match heard.parameter("last") {
        None => list((0..1_000).map(tag)),
        Some(_) => Answer::error(400, "INVALID_QUERY_PARAMETER_VALUE"),
    };
    let incomplete = Some(FindingCode::ListingIncomplete);
    for (answer, count, shortfall) in [
        (goes_on as fn(&Heard) -> Answer, 1_001, None),
        (ends, 1_000, None),
        (same, 1_000, incomplete),
        (refused, 1_000, incomplete),
    ] {
        let server = Server::start(move |heard| match heard.path.as_str() {
            TAGS if has_token(heard) => answer(heard),
            _ => registry(heard),
        })
        .await;
        assert_eq!(tags(&server).await, (count, shortfall, ListingMethod::GitLabV1));
        let heard = server.heard();
        let mut asked: Vec<_> = heard
            .iter()
            .filter(|heard| heard.path == TAGS && has_token(heard))
            .map(|heard| heard.query.as_str())
            .collect();
        // What is refused may be asked once more with a new token.
        asked.dedup();
        assert_eq!(asked, ["n=1000", "n=1000&last=t0999"]);
    }
}

#[tokio::test]
async fn a_link_that_is_too_long_is_no_end() {
    let server = Server::start(|heard| match heard.path.as_str() {
        TAGS if !has_token(heard) => registry(heard),
        TAGS if heard.query.contains("last=t0001") => list([tag(2)]),
        TAGS => list([tag(1)]).with("link", format!("<?last={}>; rel=\"next\"", "x".repeat(9_000))),
        _ => registry(heard),
    })
    .await;
    assert_eq!(tags(&server).await, (2, None, ListingMethod::GitLabV1));
}

#[tokio::test]
async fn a_tag_without_a_name_leads_to_the_general_list() {
    let server = Server::start(|heard| match heard.path.as_str() {
        _ if !has_token(heard) => registry(heard),
        TAGS => list([tag(1), r#"{"digest":null}"#.to_owned()]),
        "/v2/acme/shop/tags/list" => Answer::json(r#"{"name":"acme/shop","tags":["t0001","t0002"]}"#),
        _ => registry(heard),
    })
    .await;
    assert_eq!(tags(&server).await, (2, None, ListingMethod::TagsList));
}

#[tokio::test]
async fn a_page_with_gitlabs_cookie_gets_no_login() {
    let server = Server::start(|heard| match heard.path.as_str() {
        "/v2/" => Answer::status(404)
            .with("content-type", "text/html")
            .with("set-cookie", "_gitlab_session=0123; path=/")
            .body("<html>"),
        "/api/v4/projects" => {
            Answer::json(r#"[{"id":1,"container_registry_image_prefix":"evil.example.com/x"}]"#)
        }
        _ => Answer::status(404),
    })
    .await;
    let client = crate::gitlab::client_of(&server, "reader", TOKEN);
    let error = Registry::open(client).await.err().unwrap();
    assert!(!error.finding().seen.contains("evil"), "{error:?}");
    assert!(server.heard().iter().all(|heard| !has_token(heard)));
}

#[tokio::test]
async fn a_project_without_end_is_handed_out_page_by_page() {
    let server = Server::start(|heard| match heard.path.as_str() {
        REPOSITORIES => {
            let page: u64 = heard.parameter("page").unwrap().parse().unwrap();
            list([format!(r#"{{"id":{page},"path":"acme/r{page}"}}"#)])
                .with("x-next-page", (page + 1).to_string())
        }
        _ => one_project(heard),
    })
    .await;
    let registry = open(&server, "reader", TOKEN).await;
    let mut ladder = registry.repositories(&wanted(&[]));
    for page in 1..=20 {
        let names = ladder.next_page().await.unwrap().unwrap();
        assert_eq!(names[0].as_str(), format!("acme/r{page}"));
        assert_eq!(server.count(REPOSITORIES), page);
    }
}
