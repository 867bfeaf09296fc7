//! Referrers, as registries list them or do not.

use portolan_registry::{ReferrersSource, RegistryClient};
use portolan_shared::model::Digest;

use crate::client::{access, client, repository};
use crate::server::{Answer, Server};

const SUBJECT: &str = r#"{"schemaVersion":2,"manifests":[]}"#;
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

fn subject() -> Digest {
    Digest::sha256_of(SUBJECT.as_bytes())
}

fn index(names: &[&str]) -> Answer {
    let manifests: Vec<String> = names
        .iter()
        .map(|name| {
            let digest = Digest::sha256_of(name.as_bytes());
            format!(
                r#"{{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"{digest}","size":7,
                    "artifactType":"application/vnd.test.{name}","annotations":{{"a":"b"}}}}"#
            )
        })
        .collect();
    let body = format!(
        r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[{}]}}"#,
        manifests.join(",")
    );
    Answer::json(body)
}

fn is_tag(path: &str) -> bool {
    path.contains("/manifests/sha256-")
}

#[tokio::test]
async fn the_api_is_believed() {
    let server = Server::start(|heard| {
        assert!(!is_tag(&heard.path), "the API has answered");
        index(&["sig", "sbom", "sig"])
    })
    .await;
    let found = client(&server.url())
        .referrers(&repository(), &subject(), None)
        .await
        .unwrap();
    assert_eq!(
        (found.source, found.complete, found.referrers.len()),
        (ReferrersSource::Api, true, 2)
    );
    assert_eq!(
        found.referrers[0].artifact_type.as_ref().unwrap().as_str(),
        "application/vnd.test.sig"
    );
    let server = Server::start(|_| index(&[])).await;
    let found = client(&server.url())
        .referrers(&repository(), &subject(), None)
        .await
        .unwrap();
    assert_eq!((found.source, found.referrers.len()), (ReferrersSource::Api, 0));
}

#[tokio::test]
async fn pages_are_followed() {
    let server = Server::start(|heard| match heard.parameter("page").as_deref() {
        None => index(&["a", "b"]).with("link", r#"</elsewhere?page=2>; rel="next""#),
        Some("2") => index(&["b", "c"]).with("link", r#"</elsewhere?page=3>; rel="next""#),
        _ => index(&[]).with("link", r#"</elsewhere?page=3>; rel="next""#),
    })
    .await;
    let found = client(&server.url())
        .referrers(&repository(), &subject(), None)
        .await
        .unwrap();
    assert_eq!((found.referrers.len(), found.complete), (3, true));
    let server = Server::start(|_| index(&["a"]).with("link", r#"<?x=1>; rel="next""#)).await;
    let found = client(&server.url())
        .referrers(&repository(), &subject(), None)
        .await
        .unwrap();
    assert_eq!((found.referrers.len(), found.complete), (1, false), "a circle");
}

#[tokio::test]
async fn without_the_api_the_tag_stands_in() {
    for (status, headers) in [
        (404, vec![]),
        (400, vec![]),
        (401, vec![]),
        (405, vec![]),
        (303, vec![("location", "https://web.invalid/login".to_owned())]),
    ] {
        let server = Server::start(move |heard| {
            if is_tag(&heard.path) {
                index(&["sig"]).with("content-type", INDEX)
            } else {
                Answer {
                    headers: headers.clone(),
                    ..Answer::status(status)
                }
            }
        })
        .await;
        let client = client(&server.url());
        for _ in 0..5 {
            let found = client.referrers(&repository(), &subject(), None).await.unwrap();
            assert_eq!(
                (found.source, found.referrers.len()),
                (ReferrersSource::Tag, 1),
                "{status}"
            );
        }
        assert_eq!(
            server.count("/v2/a/b/referrers/"),
            3,
            "{status}: then the API is given up"
        );
        let before = server.heard().len();
        let found = client
            .referrers(&repository(), &subject(), Some(false))
            .await
            .unwrap();
        assert_eq!(found.source, ReferrersSource::Nowhere);
        assert_eq!(
            server.heard().len(),
            before,
            "a tag that is not listed is not asked for"
        );
    }
}

#[tokio::test]
async fn a_page_of_a_web_site_is_no_index() {
    let server = Server::start(|heard| {
        if is_tag(&heard.path) {
            Answer::status(404)
        } else {
            Answer::json("<html>").with("content-type", "text/html")
        }
    })
    .await;
    let found = client(&server.url())
        .referrers(&repository(), &subject(), None)
        .await
        .unwrap();
    assert_eq!(found.source, ReferrersSource::Nowhere);
}

#[tokio::test]
async fn a_tag_that_stands_for_the_subject_itself_is_none() {
    // GitLab: the subject is an index, so nothing but its digest tells.
    for content_type in [INDEX, "application/json"] {
        let server = Server::start(move |heard| {
            if is_tag(&heard.path) {
                Answer::json(SUBJECT).with("content-type", content_type)
            } else {
                Answer::status(404)
            }
        })
        .await;
        let found = client(&server.url())
            .referrers(&repository(), &subject(), None)
            .await
            .unwrap();
        assert_eq!(
            (found.source, found.referrers.len()),
            (ReferrersSource::Nowhere, 0)
        );
    }
    // An image under that tag is no list of referrers either.
    let server = Server::start(|heard| {
        if is_tag(&heard.path) {
            Answer::json(r#"{"schemaVersion":2,"config":{},"layers":[]}"#)
                .with("content-type", "application/vnd.oci.image.manifest.v1+json")
        } else {
            Answer::status(404)
        }
    })
    .await;
    let found = client(&server.url())
        .referrers(&repository(), &subject(), None)
        .await
        .unwrap();
    assert_eq!(found.source, ReferrersSource::Nowhere);
}

#[tokio::test]
async fn more_than_the_bound_are_cut_and_said_to_be() {
    for (bound, complete) in [(3, true), (2, false)] {
        let server = Server::start(|_| index(&["a", "b", "c"])).await;
        let mut access = access(&server.url());
        access.limits.referrers = bound;
        let client = RegistryClient::new(access).unwrap();
        let found = client.referrers(&repository(), &subject(), None).await.unwrap();
        assert_eq!((found.referrers.len(), found.complete), (bound, complete));
    }
}
