//! What is said of failures: the sharpest code that can be proved, and never what a server wrote.

use std::sync::Arc;

use portolan_registry::{Access, Fault, RegistryClient};
use portolan_shared::model::{FindingCode, ReferenceTarget};

use crate::client::{access, access_by_name, client, repository};
use crate::server::{Answer, Server};
use crate::tls::{Authority, LOOPBACK, config, parameters, serve, trust};
use crate::transport::digest;

async fn code_of_root(answer: Answer) -> FindingCode {
    let server = Server::start(move |_| answer.clone()).await;
    client(&server.url()).ping().await.unwrap_err().finding().code
}

#[tokio::test]
async fn what_answers_in_place_of_a_registry() {
    let page = || Answer::json("<!doctype html><p>Sign in").with("content-type", "text/html; charset=utf-8");
    for (answer, code) in [
        (Answer::status(404), FindingCode::ApiMissing),
        (page(), FindingCode::WebPage),
        (
            Answer::json("OK").with("content-type", "text/plain"),
            FindingCode::Protocol,
        ),
    ] {
        let status = answer.status;
        assert_eq!(code_of_root(answer).await, code, "{status}");
    }
}

#[tokio::test]
async fn what_a_manifest_is_refused_for() {
    let refusal = |status: u16, code: &str, message: &str| {
        Answer::json(format!(
            r#"{{"errors":[{{"code":"{code}","message":"{message}"}}]}}"#
        ))
        .but(status)
    };
    for (answer, code) in [
        (
            refusal(
                404,
                "MANIFEST_UNKNOWN",
                "OCI manifest found, but accept header does not support OCI manifests",
            ),
            FindingCode::AcceptStripped,
        ),
        (
            refusal(
                404,
                "MANIFEST_UNKNOWN",
                "OCI index found, but Accept header does not support OCI indexes",
            ),
            FindingCode::AcceptStripped,
        ),
        (
            refusal(404, "MANIFEST_UNKNOWN", "manifest unknown"),
            FindingCode::ManifestMissing,
        ),
        (
            refusal(400, "MANIFEST_INVALID", "Schema 1 manifest not supported"),
            FindingCode::ManifestSchema1,
        ),
        (
            refusal(400, "MANIFEST_INVALID", "manifest invalid"),
            FindingCode::Protocol,
        ),
        (
            refusal(412, "PROJECTPOLICYVIOLATION", "not signed"),
            FindingCode::ManifestBlocked,
        ),
    ] {
        let server = Server::start(move |_| answer.clone()).await;
        let client = client(&server.url());
        let tag = ReferenceTarget::Tag("1".parse().unwrap());
        let error = client.get_manifest_of(&repository(), &tag).await.unwrap_err();
        assert_eq!(error.finding().code, code, "{error:?}");
        // A HEAD has no body that could tell; where it matters, the same is asked with one.
        match client.head_manifest(&repository(), &tag, None).await {
            Ok(head) => assert_eq!(
                (code, head),
                (FindingCode::ManifestMissing, portolan_registry::Head::Missing)
            ),
            Err(error) => assert_eq!(error.finding().code, code, "{error:?}"),
        }
    }
}

#[tokio::test]
async fn storage_that_cannot_be_reached_or_trusted_is_not_the_registry() {
    let root = Authority::new("Private Root", None);
    let (leaf, key, _) = root.issue(&parameters("storage", LOOPBACK));
    let untrusted = serve(config(vec![leaf], key, None, &["h2"])).await;
    let other = Authority::new("Other Root", None);
    for (location, code) in [
        (
            untrusted.url_as("storage.example.net"),
            FindingCode::StorageUntrusted,
        ),
        (
            "http://storage.example.net:1".to_owned(),
            FindingCode::StorageUnreachable,
        ),
    ] {
        let to = location.clone();
        let server = Server::start(move |_| Answer::status(307).with("location", to.clone())).await;
        let mut access = Access {
            trust: trust(Some(&other.pem), None),
            ..access_by_name(&server.url_as("registry.example.com"))
        };
        access.limits.retry.retries = 0;
        let client = RegistryClient::new(access).unwrap();
        let error = client.get_blob(&repository(), &digest(), 100).await.unwrap_err();
        let finding = error.finding();
        assert_eq!(finding.code, code, "{error:?}");
        assert!(finding.seen.contains("storage.example.net:"), "{finding}");
        assert!(
            !error.concerns_whole_registry(),
            "tags and manifests can still be read"
        );
    }
}

#[tokio::test]
async fn a_token_service_that_cannot_be_reached_is_named() {
    let server = Server::start(|_| {
        Answer::status(401).with(
            "www-authenticate",
            "Bearer realm=\"http://auth.example.com:1/token\"",
        )
    })
    .await;
    let mut access = access_by_name(&server.url_as("registry.example.com"));
    access.limits.retry.retries = 0;
    access.credentials = Arc::new(crate::client::login());
    let error = RegistryClient::new(access)
        .unwrap()
        .tags(&repository())
        .next_page()
        .await
        .unwrap_err();
    assert_eq!(error.finding().code, FindingCode::PortClosed, "{error:?}");
    assert!(
        error.finding().seen.contains("token service auth.example.com:1"),
        "{}",
        error.finding()
    );
}

#[tokio::test]
async fn a_flood_of_headers_is_no_answer() {
    let server = Server::start(|_| {
        let mut answer = Answer::json("{}");
        for _ in 0..1_000 {
            answer = answer.and("x-flood", "x".repeat(100));
        }
        answer
    })
    .await;
    let error = RegistryClient::new(access(&server.url()))
        .unwrap()
        .ping()
        .await
        .unwrap_err();
    assert!(matches!(error.fault(), Fault::TooLarge { .. }), "{error:?}");
    assert_eq!(server.heard().len(), 1, "and it is not asked for again");
}
