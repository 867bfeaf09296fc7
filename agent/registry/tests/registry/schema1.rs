//! Signed manifests of schema 1.

use data_encoding::BASE64URL_NOPAD;
use portolan_shared::model::{Digest, FindingCode, MediaType, ReferenceTarget};

use crate::client::{client, repository};
use crate::server::{Answer, Server};

const SCHEMA1: &str = "{\n   \"schemaVersion\": 1,\n   \"name\": \"a/b\",\n   \"tag\": \"1\",\n   \"fsLayers\": [],\n   \"history\": []\n}";

/// [`SCHEMA1`] with a signature, as Docker signs.
fn signed() -> String {
    let header = format!(
        r#"{{"formatLength":{},"formatTail":"{}"}}"#,
        SCHEMA1.len() - 2,
        BASE64URL_NOPAD.encode(b"\n}")
    );
    let protected = BASE64URL_NOPAD.encode(header.as_bytes());
    let body = SCHEMA1.strip_suffix("\n}").unwrap();
    format!(
        "{body},\n   \"signatures\": [{{\"header\":{{}},\"signature\":\"c2ln\",\"protected\":\"{protected}\"}}]\n}}"
    )
}

#[tokio::test]
async fn a_signed_manifest_of_schema_1_is_verified_by_its_payload_and_handed_over_without_signatures() {
    let digest = Digest::sha256_of(SCHEMA1.as_bytes());
    let types = "application/vnd.docker.distribution.manifest.v1+prettyjws";
    let by_tag = ReferenceTarget::Tag("1".parse().unwrap());
    let by_digest = ReferenceTarget::Digest(digest.clone());
    for (target, name) in [
        (&by_digest, None),
        (&by_tag, Some(digest.to_string())),
        (&by_tag, None),
    ] {
        let server = Server::start(move |_| {
            let answer = Answer::status(200).with("content-type", types).body(signed());
            match &name {
                Some(name) => answer.with("docker-content-digest", name.clone()),
                None => answer,
            }
        })
        .await;
        let fetched = client(&server.url())
            .get_manifest_of(&repository(), target)
            .await
            .unwrap();
        assert_eq!(
            (fetched.digest, fetched.bytes.as_ref()),
            (digest.clone(), SCHEMA1.as_bytes())
        );
        assert_eq!(fetched.media_type, Some(MediaType::DOCKER_SCHEMA1_SIGNED));
    }
    let server =
        Server::start(|_| Answer::status(200).body(signed().replace("\"tag\": \"1\"", "\"tag\": \"2\"")))
            .await;
    let error = client(&server.url())
        .get_manifest(&repository(), &digest)
        .await
        .unwrap_err();
    assert_eq!(error.finding().code, FindingCode::DigestMismatch);
}
