//! Manifests: what they hold (cases 35 to 39). Read by the client, then by the reader of manifests.

use data_encoding::{BASE64, BASE64URL_NOPAD};
use portolan_shared::model::manifest::{ArtifactKind, ChildRole, Manifest};
use portolan_shared::model::{Digest, FindingCode, MediaType, ReferenceTarget};
use serde_json::{Value, json};

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
async fn c35_signed_schema_1_is_verified_by_its_payload_and_handed_over_without_signatures() {
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

#[tokio::test]
async fn c35_schema_1_that_is_no_longer_served() {
    let server = Server::start(|_| {
        Answer::json(
            r#"{"errors":[{"code":"MANIFEST_INVALID","message":"Schema 1 manifest not supported"}]}"#,
        )
        .but(400)
    })
    .await;
    let tag = ReferenceTarget::Tag("old".parse().unwrap());
    let error = client(&server.url())
        .head_manifest(&repository(), &tag, None)
        .await
        .unwrap_err();
    assert_eq!(error.finding().code, FindingCode::ManifestSchema1, "{error:?}");
}

const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

fn descriptor(media_type: &str, content: &str) -> Value {
    json!({"mediaType": media_type, "digest": Digest::sha256_of(content.as_bytes()).to_string(), "size": content.len()})
}

fn index(children: &[Value]) -> String {
    json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": children}).to_string()
}

/// Serves contents by their digest, and reads one of them.
async fn read(contents: &[&str], wanted: &str) -> Result<Manifest, String> {
    let contents: Vec<String> = contents.iter().map(|content| (*content).to_owned()).collect();
    let server = Server::start(move |heard| {
        let asked = |content: &&String| {
            heard
                .path
                .ends_with(&Digest::sha256_of(content.as_bytes()).to_string())
        };
        match contents.iter().find(asked) {
            Some(content) => Answer::status(200).body(content.as_bytes()),
            None => Answer::error(404, "MANIFEST_UNKNOWN"),
        }
    })
    .await;
    let digest = Digest::sha256_of(wanted.as_bytes());
    let fetched = client(&server.url()).get_manifest(&repository(), &digest).await;
    let fetched = fetched.map_err(|error| error.finding().code.to_string())?;
    Manifest::parse(&fetched.bytes, fetched.media_type.as_ref()).map_err(|error| error.to_string())
}

#[tokio::test]
async fn c36_nested_index_and_a_child_that_is_not_there() {
    let inner = index(&[]);
    let outer = index(&[descriptor(OCI_INDEX, &inner), descriptor(OCI_MANIFEST, "sparse")]);
    let read_outer = read(&[&outer, &inner], &outer).await.unwrap();
    assert!(read_outer.children[0].descriptor.media_type.is_index());
    assert_eq!(read(&[&outer, &inner], &inner).await.unwrap().children, []);
    assert_eq!(
        read(&[&outer, &inner], "sparse").await.unwrap_err(),
        "manifest.missing"
    );
}

#[tokio::test]
async fn c36_an_index_that_claims_to_hold_itself() {
    // No content can name its own digest; whoever serves one under another's is found out.
    let itself = index(&[descriptor(OCI_INDEX, "itself")]);
    let server = Server::start(move |_| Answer::status(200).body(itself.as_bytes())).await;
    let claimed = Digest::sha256_of(b"itself");
    let error = client(&server.url())
        .get_manifest(&repository(), &claimed)
        .await
        .unwrap_err();
    assert_eq!(error.finding().code, FindingCode::DigestMismatch);
}

#[tokio::test]
async fn c36_ten_thousand_children() {
    let many = index(&vec![descriptor(OCI_MANIFEST, "child"); 10_000]);
    let error = read(&[&many], &many).await.unwrap_err();
    assert!(error.contains("10000") && error.contains("bound"), "{error}");
}

#[tokio::test]
async fn c37_attestations_of_the_old_and_the_new_form() {
    let image = descriptor(OCI_MANIFEST, "image");
    let mut attestation = descriptor(OCI_MANIFEST, "attestation");
    attestation["platform"] = json!({"os": "unknown", "architecture": "unknown"});
    attestation["annotations"] = json!({
        "vnd.docker.reference.type": "attestation-manifest",
        "vnd.docker.reference.digest": image["digest"],
    });
    let mut new = attestation.clone();
    new["artifactType"] = json!("application/vnd.docker.attestation.manifest.v1+json");
    let whole = index(&[image.clone(), attestation, new]);
    let read = read(&[&whole], &whole).await.unwrap();
    let roles: Vec<ChildRole> = read.children.iter().map(|child| child.role).collect();
    assert_eq!(
        roles,
        [
            ChildRole::Manifest,
            ChildRole::Attestation,
            ChildRole::Attestation
        ]
    );
    assert_eq!(read.children[2].attests, Some(Digest::sha256_of(b"image")));
    assert!(read.platforms().is_empty(), "unknown/unknown is no platform");
}

#[tokio::test]
async fn c38_build_cache_that_is_an_index_of_layers() {
    let cache = index(&[
        descriptor("application/vnd.oci.image.layer.v1.tar+gzip", "layer"),
        descriptor("application/vnd.buildkit.cacheconfig.v0", "config"),
    ]);
    let read = read(&[&cache], &cache).await.unwrap();
    assert_eq!(read.kind, ArtifactKind::BuildCache);
    assert!(
        read.children
            .iter()
            .all(|child| child.role == ChildRole::CacheLayer),
        "blobs, never fetched as manifests"
    );
}

#[tokio::test]
async fn c39_inline_data_and_the_empty_descriptor() {
    let mut config = descriptor("application/vnd.oci.empty.v1+json", "{}");
    config["data"] = json!(BASE64.encode(b"{}"));
    let artifact = json!({
        "schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": "application/vnd.test",
        "config": config, "layers": [config],
    })
    .to_string();
    let empty = read(&[&artifact], &artifact).await.unwrap();
    assert_eq!(empty.config, None, "what everybody knows is not fetched");
    let mut config = descriptor("application/vnd.oci.image.config.v1+json", "true");
    config["data"] = json!(BASE64.encode(b"a lie"));
    let image =
        json!({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": []}).to_string();
    let image = read(&[&image], &image).await.unwrap();
    assert_eq!(
        image.config.unwrap().digest,
        Digest::sha256_of(b"true"),
        "inline data counts for nothing"
    );
}
