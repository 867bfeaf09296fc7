//! Listings, as servers page them.

use portolan_registry::{RegistryClient, RegistryError, Walk, WalkEnd};
use portolan_shared::model::{FindingCode, TagName};

use crate::client::{access, client, repository};
use crate::server::{Answer, Server, tags_page};

/// Page size of the servers here.
const SIZE: usize = 7;
/// Tags that they hold.
const TAGS: usize = 25;

pub(crate) fn names(count: usize) -> Vec<String> {
    (0..count).map(|index| format!("t{index:06}")).collect()
}

pub(crate) async fn walk(walk: &mut Walk<TagName>) -> Result<Vec<String>, RegistryError> {
    let mut all = Vec::new();
    while let Some(page) = walk.next_page().await? {
        assert!(!page.items.is_empty(), "a page that is given out holds something");
        all.extend(page.items.iter().map(ToString::to_string));
    }
    Ok(all)
}

pub(crate) async fn listed(client: &RegistryClient) -> (Vec<String>, Option<WalkEnd>) {
    let mut tags = client.tags(&repository());
    let all = walk(&mut tags).await.unwrap();
    (all, tags.end())
}

/// A server that pages by name and writes its link as told.
pub(crate) async fn linking(link: impl Fn(&str, &str) -> String + Send + Sync + 'static) -> Server {
    Server::start(move |heard| {
        let all = names(TAGS);
        let after = heard.parameter("last");
        let from = after.map_or(0, |last| all.partition_point(|name| *name <= last));
        let page = &all[from..TAGS.min(from + SIZE)];
        let answer = Answer::json(tags_page(page));
        match page.last() {
            Some(last) if from + SIZE < TAGS => answer.with("link", link(last, &heard.path)),
            _ => answer,
        }
    })
    .await
}

/// Follows links of this form through a registry below a path, whose paths must all be ours.
pub(crate) async fn follow(link: impl Fn(&str, &str) -> String + Send + Sync + 'static) -> Walk<TagName> {
    let server = linking(link).await;
    let client = client(&format!("{}/artifactory/api/docker/r", server.url()));
    let mut tags = client.tags(&repository());
    assert_eq!(walk(&mut tags).await.unwrap(), names(TAGS));
    assert_eq!(tags.end(), Some(WalkEnd::Complete));
    for heard in server.heard() {
        assert_eq!(
            heard.path, "/artifactory/api/docker/r/v2/a/b/tags/list",
            "never asked elsewhere"
        );
    }
    tags
}

#[tokio::test]
async fn links_are_followed_wherever_they_point() {
    follow(|last, _| format!(r#"<?last={last}>; rel="next""#)).await;
    follow(|last, _| format!(r#"</repository/x/v2/a/b/tags/list?last={last}>; rel="next""#)).await;
    follow(|last, _| format!(r#"<http://169.254.169.254/v2/x?last={last}>; rel="next""#)).await;
    follow(|last, _| format!(r#"<internal.invalid/v2/a/b/tags/list?last={last}>; rel=next"#)).await;
}

#[tokio::test]
async fn listings_are_asked_for_as_json_that_may_be_compressed() {
    let server = linking(|last, path| format!(r#"<{path}?last={last}>; rel="next""#)).await;
    listed(&client(&server.url())).await;
    for heard in server.heard() {
        assert_eq!(
            heard.header("accept"),
            Some("application/json"),
            "Artifactory answers 406 to manifest types here"
        );
        assert_eq!(heard.header("accept-encoding"), Some("gzip"));
    }
    assert_eq!(server.heard()[0].query, "n=1000");
}

#[tokio::test]
async fn an_error_in_mid_walk_is_no_end() {
    let server = Server::start(|heard| {
        if heard.query.contains("last") {
            Answer::status(502)
        } else {
            Answer::json(r#"{"tags":["a"]}"#).with("link", r#"<?last=a>; rel="next""#)
        }
    })
    .await;
    let client = client(&server.url());
    let mut tags = client.tags(&repository());
    assert_eq!(tags.next_page().await.unwrap().unwrap().items.len(), 1);
    // A gateway's error may be one of the cursor: it is started again, at smaller sizes, before it counts.
    let outcome = tags.next_page().await;
    assert!(!tags.is_complete(), "{outcome:?}");
    assert!(
        matches!(outcome, Err(ref error) if error.is_transient()) || tags.end() == Some(WalkEnd::CursorLost)
    );
}

#[tokio::test]
async fn the_catalog_tells_denied_from_unsupported_from_nonsense() {
    for (answer, code) in [
        (Answer::error(403, "DENIED"), FindingCode::CatalogDenied),
        (Answer::error(401, "UNAUTHORIZED"), FindingCode::CatalogDenied),
        (Answer::error(404, "UNSUPPORTED"), FindingCode::CatalogUnsupported),
        (Answer::error(405, "UNSUPPORTED"), FindingCode::CatalogUnsupported),
        (
            Answer::json("<!doctype html>").with("content-type", "text/html"),
            FindingCode::WebPage,
        ),
        (Answer::json(r#"{"repos":[]}"#), FindingCode::Protocol),
    ] {
        let status = answer.status;
        let server = Server::start(move |_| answer.clone()).await;
        let error = client(&server.url()).catalog().next_page().await.unwrap_err();
        assert_eq!(error.finding().code, code, "{status}: {error}");
    }
    let server = Server::start(|_| Answer::error(404, "NAME_UNKNOWN")).await;
    let error = client(&server.url())
        .tags(&repository())
        .next_page()
        .await
        .unwrap_err();
    assert!(error.is_missing());
    assert_eq!(error.finding().code, FindingCode::RepositoryMissing);
    assert_eq!(
        server.heard().len(),
        1,
        "a repository that is not there is asked for once"
    );
}

#[tokio::test]
async fn a_page_above_its_bound_is_refused() {
    let body = tags_page(&names(100));
    let length = body.len();
    for (bound, fits) in [(length, true), (length - 1, false)] {
        let body = body.clone();
        let server = Server::start(move |_| Answer::json(body.clone())).await;
        let mut access = access(&server.url());
        access.limits.list_bytes = bound;
        let client = RegistryClient::new(access).unwrap();
        let outcome = client.tags(&repository()).next_page().await;
        match outcome {
            Ok(page) => assert!(fits && page.is_some()),
            Err(error) => assert!(!fits && error.finding().code == FindingCode::TooLarge, "{error}"),
        }
    }
}
