//! How GitLab's tags are listed.

use portolan_registry::{ListedTag, Registry};
use portolan_shared::model::{FindingCode, ListingMethod, RepositoryName};

use crate::gitlab::{TOKEN, open, registry};
use crate::server::{Answer, Heard, Server};

const DIGEST: &str = "sha256:fbeba785391a3009a62758bd247cdb2142e1c7b8645b023c6f33c425b7dcd6ae";

fn row(tag: &str) -> String {
    format!(
        r#"{{"name":"{tag}","digest":"{DIGEST}","media_type":"application/vnd.oci.image.manifest.v1+json","size_bytes":715,
            "created_at":"2026-01-02T03:04:05.000Z","published_at":"2026-01-05T00:00:00.000Z"}}"#
    )
}

fn name(text: &str) -> RepositoryName {
    text.parse().unwrap()
}

async fn tags(registry: &Registry, repository: &str) -> Vec<ListedTag> {
    let mut list = registry.tags(&name(repository));
    let mut tags = Vec::new();
    while let Some(page) = list.next_page().await.unwrap() {
        tags.extend(page.tags);
    }
    tags
}

fn has_token(heard: &Heard) -> bool {
    heard.header("authorization").is_some()
}

#[tokio::test]
async fn a_thousand_a_request_and_only_the_next_link_is_followed() {
    let path = "/gitlab/v1/repositories/acme/shop/api/tags/list/";
    let server = Server::start(move |heard| match (heard.path.as_str(), heard.query.as_str()) {
        (found, "n=1000") if found == path && has_token(heard) => Answer::json(format!("[{}]", row("1.0")))
            .with("link", format!("<{path}?last=1.0&n=1000>; rel=\"next\"")),
        (found, "last=1.0&n=1000") if found == path => {
            Answer::json(format!("[{},{}]", row("1.0"), row("2.0"))).with(
                "link",
                format!(
                    "<https://x.example.com{path}?before=2.0&n=1000>; rel=\"previous\", <https://x.example.com{path}?last=2.0&n=1000>; rel=\"next\""
                ),
            )
        }
        (found, "last=2.0&n=1000") if found == path => Answer::json(format!("[{}]", row("3.0")))
            .with("link", format!("<{path}?before=3.0&n=1000>; rel=\"previous\"")),
        _ => registry(heard),
    })
    .await;
    let registry = open(&server, "reader", TOKEN).await;
    let tags = tags(&registry, "acme/shop/api").await;
    let names: Vec<_> = tags.iter().map(|tag| tag.tag.as_str()).collect();
    assert_eq!(names, ["1.0", "2.0", "3.0"], "each once");
    assert_eq!(tags[0].digest.as_ref().unwrap().to_string(), DIGEST);
    assert_eq!(tags[0].pushed_at.unwrap().to_string(), "2026-01-05T00:00:00Z");
    assert!(tags[0].media_type.is_some());
    let steps = registry.listings();
    assert_eq!((steps.len(), steps[0].method), (1, ListingMethod::GitLabV1));
    assert_eq!(server.count("/v2/acme"), 0);
}

#[tokio::test]
async fn pages_shrink_when_they_are_refused_and_stay_small() {
    let server = Server::start(|heard| {
        match (
            heard.path.starts_with("/gitlab/v1/") && has_token(heard),
            heard.query.as_str(),
        ) {
            (true, "n=1000") => Answer::error(400, "INVALID_QUERY_PARAMETER_VALUE"),
            (true, "n=100") => Answer::json(format!("[{}]", row("1.0"))),
            _ => registry(heard),
        }
    })
    .await;
    let registry = open(&server, "reader", TOKEN).await;
    assert_eq!(tags(&registry, "acme/one").await.len(), 1);
    assert_eq!(tags(&registry, "acme/two").await.len(), 1);
    let refused = server
        .heard()
        .iter()
        .filter(|heard| heard.query == "n=1000" && heard.path.starts_with("/gitlab") && has_token(heard))
        .count();
    assert_eq!(refused, 1);
}

/// A registry without the metadata database.
fn on_file_system(heard: &Heard) -> Answer {
    if heard.path.starts_with("/gitlab/v1/") && has_token(heard) {
        Answer::status(404).with("gitlab-container-registry-version", "4.39.0-gitlab")
    } else if heard.path.ends_with("/tags/list") && has_token(heard) {
        Answer::json(r#"{"name":"x","tags":["1.0","2.0"]}"#)
    } else {
        registry(heard)
    }
}

#[tokio::test]
async fn without_the_database_it_is_asked_for_once_in_the_whole_registry() {
    let server = Server::start(on_file_system).await;
    let registry = open(&server, "reader", TOKEN).await;
    for repository in ["acme/one", "acme/two", "acme/three", "acme/four"] {
        let tags = tags(&registry, repository).await;
        assert_eq!(tags.len(), 2);
        assert!(tags.iter().all(|tag| tag.digest.is_none()));
    }
    assert_eq!(server.count("/gitlab/v1/"), 1);
    let steps = registry.listings();
    let native = steps
        .iter()
        .find(|step| step.method == ListingMethod::GitLabV1)
        .unwrap();
    assert_eq!((native.repositories, native.given_up), (0, 1));
    assert_eq!(
        native.finding.as_ref().unwrap().code,
        FindingCode::NativeApiRefused
    );
}

#[tokio::test]
async fn a_registry_that_says_it_has_no_database_is_not_asked_at_all() {
    let server = Server::start(|heard| {
        let answer = on_file_system(heard);
        if heard.path == "/v2/" && has_token(heard) {
            answer.with("gitlab-container-registry-database-enabled", "false")
        } else {
            answer
        }
    })
    .await;
    let registry = open(&server, "reader", TOKEN).await;
    assert_eq!(tags(&registry, "acme/one").await.len(), 2);
    assert_eq!(server.count("/gitlab/v1/"), 0);
    assert!(
        registry
            .detection()
            .evidence
            .iter()
            .any(|sign| sign.contains("database: false"))
    );
}

#[tokio::test]
async fn what_is_said_of_a_repository_is_not_asked_again_in_the_general_way() {
    let server = Server::start(|heard| {
        if heard.path.contains("/gone/") && has_token(heard) {
            Answer::error(404, "NAME_UNKNOWN")
        } else if heard.path.starts_with("/gitlab/v1/") && has_token(heard) {
            let host = heard.header("host").unwrap_or_default();
            let challenge = format!(
                r#"Bearer realm="http://{host}/jwt/auth",service="container_registry",error="insufficient_scope""#
            );
            Answer::error(401, "UNAUTHORIZED").with("www-authenticate", challenge)
        } else {
            registry(heard)
        }
    })
    .await;
    let registry = open(&server, "reader", TOKEN).await;
    let gone = registry.tags(&name("acme/gone")).next_page().await.unwrap_err();
    assert!(gone.is_unknown_repository(), "{gone:?}");
    let hidden = registry.tags(&name("acme/hidden")).next_page().await.unwrap_err();
    assert!(hidden.is_denied(), "{hidden:?}");
    assert_eq!(
        registry.explain(&hidden).await.code,
        FindingCode::GitLabProjectNotVisible
    );
    assert_eq!(server.count("/v2/acme"), 0);
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_finished_in_the_general_way_and_nothing_comes_twice() {
    let server = Server::start(|heard| match heard.query.as_str() {
        _ if !has_token(heard) => registry(heard),
        "n=1000" if heard.path.starts_with("/gitlab/v1/") => {
            Answer::json(format!("[{}]", row("1.0"))).with("link", "<?last=1.0&n=1000>; rel=\"next\"")
        }
        "last=1.0&n=1000" => Answer::json("[{"),
        _ if heard.path == "/v2/acme/one/tags/list" => {
            Answer::json(r#"{"name":"acme/one","tags":["1.0","2.0"]}"#)
        }
        _ => registry(heard),
    })
    .await;
    let registry = open(&server, "reader", TOKEN).await;
    let tags = tags(&registry, "acme/one").await;
    let names: Vec<_> = tags.iter().map(|tag| tag.tag.as_str()).collect();
    assert_eq!(names, ["1.0", "2.0"]);
    assert_eq!(registry.listings().len(), 2);
}

#[tokio::test]
async fn tags_beyond_the_bound_are_left_out_and_it_is_said() {
    let server = Server::start(|heard| {
        if heard.path.starts_with("/gitlab/v1/") && has_token(heard) {
            Answer::json(format!("[{},{},{}]", row("1"), row("2"), row("3")))
                .with("link", "<?last=3&n=1000>; rel=\"next\"")
        } else {
            registry(heard)
        }
    })
    .await;
    let mut access = crate::client::access(&server.url());
    access.credentials = std::sync::Arc::new(crate::client::login());
    access.limits.tags = 2;
    let client = portolan_registry::RegistryClient::new(access).unwrap();
    let registry = Registry::open(client).await.unwrap();
    let mut list = registry.tags(&name("acme/one"));
    let page = list.next_page().await.unwrap().unwrap();
    assert_eq!(page.tags.len(), 2);
    assert_eq!(list.next_page().await.unwrap(), None);
    assert_eq!(list.shortfall().unwrap().code, FindingCode::RepositoryTruncated);
}
