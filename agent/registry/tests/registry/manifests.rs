//! Manifests and blobs, as servers serve them.

use portolan_registry::{Fault, Head, RegistryClient};
use portolan_shared::model::{Digest, DigestMismatch, FindingCode, MediaType, ReferenceTarget};

use crate::client::{client, repository};
use crate::server::{Answer, Server};

pub(crate) const MANIFEST: &str =
    r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json"}"#;

pub(crate) fn digest() -> Digest {
    Digest::sha256_of(MANIFEST.as_bytes())
}

pub(crate) fn tag() -> ReferenceTarget {
    ReferenceTarget::Tag("1".parse().unwrap())
}

pub(crate) fn served() -> Answer {
    Answer::status(200)
        .with("content-type", "application/vnd.oci.image.manifest.v1+json")
        .body(MANIFEST)
}

pub(crate) fn named() -> Answer {
    served().with("docker-content-digest", digest().to_string())
}

pub(crate) async fn head(client: &RegistryClient) -> Head {
    client.head_manifest(&repository(), &tag(), None).await.unwrap()
}

#[tokio::test]
async fn head_resolves_with_the_whole_list_of_types() {
    let server = Server::start(|_| named().with("content-length", MANIFEST.len().to_string())).await;
    let client = client(&server.url());
    let Head::Found(found) = head(&client).await else {
        panic!("found")
    };
    assert_eq!(
        (found.digest, found.size, found.content),
        (digest(), Some(MANIFEST.len() as u64), None)
    );
    assert_eq!(found.media_type, Some(MediaType::OCI_MANIFEST));
    let heard = server.heard();
    assert_eq!((heard.len(), heard[0].method.as_str()), (1, "HEAD"));
    let accept = heard[0].header("accept").unwrap();
    for media_type in MediaType::MANIFESTS {
        assert!(
            accept.split(", ").any(|part| part == media_type.as_str()),
            "{media_type}"
        );
    }
    assert_eq!(
        heard[0].header("accept-encoding"),
        Some("identity"),
        "length and digest are those of the bytes"
    );
}

#[tokio::test]
async fn once_head_has_worked_its_404_is_believed() {
    let server = Server::start(|heard| {
        if heard.path.ends_with("/1") {
            named()
        } else {
            Answer::status(404)
        }
    })
    .await;
    let client = client(&server.url());
    head(&client).await;
    let gone = ReferenceTarget::Tag("gone".parse().unwrap());
    assert_eq!(
        client.head_manifest(&repository(), &gone, None).await.unwrap(),
        Head::Missing
    );
    assert_eq!(
        server
            .heard()
            .iter()
            .filter(|heard| heard.method == "GET")
            .count(),
        0
    );
}

#[tokio::test]
async fn content_that_is_not_its_digest_is_refused() {
    let server = Server::start(|_| served()).await;
    let client = client(&server.url());
    let fetched = client.get_manifest(&repository(), &digest()).await.unwrap();
    assert_eq!(
        (fetched.bytes.as_ref(), fetched.media_type),
        (MANIFEST.as_bytes(), Some(MediaType::OCI_MANIFEST))
    );
    let other = Digest::sha256_of(b"other");
    let error = client.get_manifest(&repository(), &other).await.unwrap_err();
    assert!(matches!(
        error.fault(),
        Fault::Digest(DigestMismatch::Differs { .. })
    ));
    assert_eq!(error.finding().code, FindingCode::DigestMismatch);
    assert!(client.get_blob(&repository(), &other, 100).await.is_err());
    assert_eq!(
        client.get_blob(&repository(), &digest(), 100).await.unwrap(),
        MANIFEST
    );
    let unknown: Digest = "blake3:aa".parse().unwrap();
    let error = client.get_manifest(&repository(), &unknown).await.unwrap_err();
    assert!(matches!(
        error.fault(),
        Fault::Digest(DigestMismatch::Unsupported(_))
    ));
}
