//! Manifests and blobs, as servers serve them.

use portolan_registry::{Fault, Head, RegistryClient};
use portolan_shared::model::{Digest, DigestMismatch, FindingCode, MediaType, ReferenceTarget};

use crate::client::{access, client, repository};
use crate::server::{Answer, Body, Server};

const MANIFEST: &str = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json"}"#;

fn digest() -> Digest {
    Digest::sha256_of(MANIFEST.as_bytes())
}

fn tag() -> ReferenceTarget {
    ReferenceTarget::Tag("1".parse().unwrap())
}

fn served() -> Answer {
    Answer::status(200)
        .with("content-type", "application/vnd.oci.image.manifest.v1+json")
        .body(MANIFEST)
}

fn named() -> Answer {
    served().with("docker-content-digest", digest().to_string())
}

async fn head(client: &RegistryClient) -> Head {
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
async fn where_head_does_not_do_get_does() {
    let head_answers = [
        ("no digest", served()),
        (
            "nonsense for a digest",
            served().with("docker-content-digest", "sha256:zz"),
        ),
        (
            "an algorithm that nobody can compute",
            served().with("docker-content-digest", "blake3:aa"),
        ),
        ("403", Answer::status(403)),
        ("404", Answer::status(404)),
        ("405", Answer::status(405)),
    ];
    for (what, answer) in head_answers {
        let server = Server::start(move |heard| {
            if heard.method == "HEAD" {
                answer.clone()
            } else {
                served()
            }
        })
        .await;
        let client = client(&server.url());
        for _ in 0..5 {
            let Head::Found(found) = head(&client).await else {
                panic!("{what}")
            };
            assert_eq!(found.digest, digest(), "{what}");
            assert_eq!(found.content.as_deref(), Some(MANIFEST.as_bytes()), "{what}");
        }
        let heads = server
            .heard()
            .iter()
            .filter(|heard| heard.method == "HEAD")
            .count();
        assert_eq!(heads, 3, "{what}: then HEAD is given up");
    }
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
async fn what_is_known_is_asked_for_conditionally() {
    let server = Server::start(|heard| {
        let known = heard
            .header("if-none-match")
            .map(|known| known.trim_matches('"').to_owned());
        if known == Some(digest().to_string()) {
            Answer::status(304)
        } else {
            named().with("etag", format!("\"{}\"", digest()))
        }
    })
    .await;
    let client = client(&server.url());
    let ask = |known: Digest| {
        let client = client.clone();
        async move {
            client
                .head_manifest(&repository(), &tag(), Some(&known))
                .await
                .unwrap()
        }
    };
    assert_eq!(ask(digest()).await, Head::NotModified);
    assert!(matches!(ask(Digest::sha256_of(b"old")).await, Head::Found(_)));
    // Without having been asked so, 304 is no answer.
    let server = Server::start(|_| Answer::status(304)).await;
    let error = crate::client::client(&server.url())
        .head_manifest(&repository(), &tag(), None)
        .await;
    assert!(error.is_err());
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

#[tokio::test]
async fn a_digest_header_that_lies_is_noticed() {
    let lie = || served().with("docker-content-digest", Digest::sha256_of(b"lie").to_string());
    let server = Server::start(move |_| lie()).await;
    let client = client(&server.url());
    let by_digest = ReferenceTarget::Digest(digest());
    assert!(
        client
            .head_manifest(&repository(), &by_digest, None)
            .await
            .is_err()
    );
    assert!(
        client.get_manifest_of(&repository(), &tag()).await.is_err(),
        "the tag's content is not what is named"
    );
    assert!(
        client.get_manifest(&repository(), &digest()).await.is_ok(),
        "asked by digest, only the bytes count"
    );
    // sha512 named for content that is asked for by sha256 is no lie, if it is true.
    use std::fmt::Write as _;
    let mut hex = String::new();
    for byte in sha512_of(MANIFEST.as_bytes()) {
        write!(hex, "{byte:02x}").unwrap();
    }
    let sha512 = format!("sha512:{hex}");
    let name = sha512.clone();
    let server = Server::start(move |_| served().with("docker-content-digest", name.clone())).await;
    let fetched = crate::client::client(&server.url())
        .get_manifest_of(&repository(), &tag())
        .await
        .unwrap();
    assert_eq!(fetched.digest.to_string(), sha512);
}

fn sha512_of(bytes: &[u8]) -> Vec<u8> {
    // By way of the digest that disagrees with an all-zero one.
    let zero: Digest = format!("sha512:{}", "0".repeat(128)).parse().unwrap();
    match zero.verify(bytes) {
        Err(DigestMismatch::Differs {
            found: Digest::Sha512(hash),
            ..
        }) => hash.to_vec(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn wrong_content_types_are_passed_on_as_they_are() {
    for (served_as, expected) in [
        ("text/plain", Some("text/plain")),
        ("application/json; charset=utf-8", Some("application/json")),
        (
            "APPLICATION/VND.OCI.IMAGE.INDEX.V1+JSON",
            Some("application/vnd.oci.image.index.v1+json"),
        ),
        ("nonsense", None),
    ] {
        let server =
            Server::start(move |_| Answer::status(200).with("content-type", served_as).body(MANIFEST)).await;
        let fetched = client(&server.url())
            .get_manifest(&repository(), &digest())
            .await
            .unwrap();
        assert_eq!(fetched.media_type.as_ref().map(MediaType::as_str), expected);
    }
    let server = Server::start(|_| {
        Answer::status(200)
            .with("content-type", "text/html")
            .body("<html>")
    })
    .await;
    let error = client(&server.url())
        .get_manifest_of(&repository(), &tag())
        .await
        .unwrap_err();
    assert_eq!(
        error.finding().code,
        FindingCode::Protocol,
        "a login page is no manifest"
    );
}

/// `{"gzip":1}`, compressed.
const GZIPPED: [u8; 30] = [
    0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0xab, 0x56, 0x4a, 0xaf, 0xca, 0x2c, 0x50,
    0xb2, 0x32, 0xac, 0x05, 0x00, 0x66, 0x29, 0x15, 0xce, 0x0a, 0x00, 0x00, 0x00,
];

#[tokio::test]
async fn a_manifest_that_is_compressed_unasked_is_unpacked() {
    let plain = br#"{"gzip":1}"#;
    let server = Server::start(|_| Answer::status(200).with("content-encoding", "gzip").body(GZIPPED)).await;
    let fetched = client(&server.url())
        .get_manifest(&repository(), &Digest::sha256_of(plain))
        .await
        .unwrap();
    assert_eq!(fetched.bytes.as_ref(), plain);
}

#[tokio::test]
async fn a_manifest_above_its_bound_is_refused_however_it_comes() {
    let large = vec![b' '; 9 << 20];
    let digest = Digest::sha256_of(&large);
    let body = large.clone();
    let server = Server::start(move |_| Answer::status(200).body(body.clone())).await;
    let error = client(&server.url())
        .get_manifest(&repository(), &digest)
        .await
        .unwrap_err();
    assert_eq!(error.finding().code, FindingCode::ManifestTooLarge);
    for (bound, fits) in [(MANIFEST.len(), true), (MANIFEST.len() - 1, false)] {
        let server = Server::start(|_| served()).await;
        let mut access = access(&server.url());
        access.limits.manifest_bytes = bound;
        let client = RegistryClient::new(access).unwrap();
        assert_eq!(
            client
                .get_manifest(&repository(), &super::manifests::digest())
                .await
                .is_ok(),
            fits,
            "{bound}"
        );
    }
}

#[tokio::test]
async fn a_body_that_is_cut_off_is_asked_for_again() {
    let first = std::sync::atomic::AtomicBool::new(true);
    let server = Server::start(move |_| {
        if first.swap(false, std::sync::atomic::Ordering::SeqCst) {
            Answer {
                body: Body::CutOff(MANIFEST.as_bytes()[..10].to_vec()),
                ..Answer::status(200)
            }
        } else {
            served()
        }
    })
    .await;
    let client = client(&server.url());
    client.get_manifest(&repository(), &digest()).await.unwrap();
    assert_eq!(client.counts().retries, 1);
    let server = Server::start(|_| Answer {
        body: Body::CutOff(b"{".to_vec()),
        ..Answer::status(200)
    })
    .await;
    let error = crate::client::client(&server.url())
        .get_manifest(&repository(), &digest())
        .await
        .unwrap_err();
    assert!(error.is_transient(), "{error:?}");
}
