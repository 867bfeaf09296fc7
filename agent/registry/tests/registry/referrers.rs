//! Referrers, as registries list them or do not.

use portolan_registry::{Referrers, ReferrersSource, RegistryClient};
use portolan_shared::model::Digest;

use crate::client::{access, client, repository};
use crate::server::{Answer, Server};

pub(crate) const SUBJECT: &str = r#"{"schemaVersion":2,"manifests":[]}"#;
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";

pub(crate) fn subject() -> Digest {
    Digest::sha256_of(SUBJECT.as_bytes())
}

/// What refers to [`subject`], as this server says it.
pub(crate) async fn found_at(server: &Server) -> Referrers {
    let client = client(&server.url());
    client.referrers(&repository(), &subject(), None).await.unwrap()
}

pub(crate) fn index(names: &[&str]) -> Answer {
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

pub(crate) fn is_tag(path: &str) -> bool {
    path.contains("/manifests/sha256-")
}

#[tokio::test]
async fn the_api_is_believed() {
    let server = Server::start(|heard| {
        assert!(!is_tag(&heard.path), "the API has answered");
        index(&["sig", "sbom", "sig"])
    })
    .await;
    let found = found_at(&server).await;
    assert_eq!(
        (found.source, found.complete, found.referrers.len()),
        (ReferrersSource::Api, true, 2)
    );
    assert_eq!(
        found.referrers[0].artifact_type.as_ref().unwrap().as_str(),
        "application/vnd.test.sig"
    );
    let server = Server::start(|_| index(&[])).await;
    let found = found_at(&server).await;
    assert_eq!((found.source, found.referrers.len()), (ReferrersSource::Api, 0));
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
    let found = found_at(&server).await;
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
