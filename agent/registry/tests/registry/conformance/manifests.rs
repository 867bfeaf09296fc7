//! Manifests: how they are served (cases 30 to 34 and 40 to 42).

use portolan_registry::{Fault, Head, RegistryClient};
use portolan_shared::model::{Digest, DigestMismatch, FindingCode, MediaType, ReferenceTarget};

use crate::client::{access, client, repository};
use crate::manifests::{MANIFEST, digest, head, named, served, tag};
use crate::server::{Answer, Body, Server};

#[tokio::test]
async fn c30_head_without_digest_or_refused_though_get_works() {
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
async fn c31_wrong_content_type() {
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
        FindingCode::WebPage,
        "a login page is no manifest"
    );
}

#[tokio::test]
async fn c33_digest_header_mismatch_and_sha512_header() {
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

#[tokio::test]
async fn c34_gzip_encoded_manifest() {
    let plain = br#"{"gzip":1}"#;
    let server = Server::start(|_| Answer::status(200).with("content-encoding", "gzip").body(GZIPPED)).await;
    let fetched = client(&server.url())
        .get_manifest(&repository(), &Digest::sha256_of(plain))
        .await
        .unwrap();
    assert_eq!(fetched.bytes.as_ref(), plain);
}

#[tokio::test]
async fn c40_nine_mebibytes() {
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
                .get_manifest(&repository(), &crate::manifests::digest())
                .await
                .is_ok(),
            fits,
            "{bound}"
        );
    }
}

#[tokio::test]
async fn c40_truncated_body() {
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

#[tokio::test]
async fn c41_not_modified_with_and_without_etag() {
    for with_etag in [true, false] {
        let server = Server::start(move |heard| {
            let known = heard.header("if-none-match").map(|known| known.trim_matches('"'));
            let answer = if known == Some(&*digest().to_string()) {
                Answer::status(304)
            } else {
                named()
            };
            if with_etag {
                answer.with("etag", format!("\"{}\"", digest()))
            } else {
                answer
            }
        })
        .await;
        let client = client(&server.url());
        let ask = async |known: Option<Digest>| {
            let head = client.head_manifest(&repository(), &tag(), known.as_ref()).await;
            head.unwrap()
        };
        assert_eq!(ask(Some(digest())).await, Head::NotModified, "{with_etag}");
        for known in [Some(Digest::sha256_of(b"old")), None] {
            let Head::Found(found) = ask(known).await else {
                panic!("it is another one: {with_etag}");
            };
            assert_eq!(found.digest, digest(), "{with_etag}");
        }
    }
    // Without having been asked so, 304 is no answer.
    let server = Server::start(|_| Answer::status(304)).await;
    let error = client(&server.url())
        .head_manifest(&repository(), &tag(), None)
        .await;
    assert!(error.is_err());
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

/// `{"gzip":1}`, compressed.
const GZIPPED: [u8; 30] = [
    0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0xab, 0x56, 0x4a, 0xaf, 0xca, 0x2c, 0x50,
    0xb2, 0x32, 0xac, 0x05, 0x00, 0x66, 0x29, 0x15, 0xce, 0x0a, 0x00, 0x00, 0x00,
];

#[tokio::test]
async fn c30_head_without_a_length() {
    let server = Server::start(|_| named()).await;
    let Head::Found(found) = head(&client(&server.url())).await else {
        panic!("found")
    };
    assert_eq!(
        (found.digest, found.size),
        (digest(), None),
        "not told is not zero"
    );
}

#[tokio::test]
async fn c32_the_body_contradicts_the_header() {
    let server = Server::start(|_| {
        Answer::status(200)
            .with("content-type", MediaType::OCI_INDEX.as_str())
            .body(MANIFEST)
    })
    .await;
    let fetched = client(&server.url())
        .get_manifest(&repository(), &digest())
        .await
        .unwrap();
    let read = portolan_shared::model::manifest::Manifest::parse(&fetched.bytes, fetched.media_type.as_ref())
        .unwrap();
    assert_eq!(
        (read.media_type, read.type_conflict),
        (MediaType::OCI_MANIFEST, true)
    );
}

#[tokio::test]
async fn c40_slow_body() {
    let server = Server::start(|_| Answer {
        body: Body::Endless(b" ".to_vec(), std::time::Duration::from_secs(3600)),
        ..Answer::status(200)
    })
    .await;
    let mut access = access(&server.url());
    access.limits.idle = std::time::Duration::from_millis(20);
    access.limits.retry.retries = 1;
    let error = RegistryClient::new(access)
        .unwrap()
        .get_manifest(&repository(), &digest())
        .await
        .unwrap_err();
    assert!(matches!(error.fault(), Fault::TimedOut { .. }), "{error:?}");
    assert_eq!(server.heard().len(), 2, "asked for again, and then given up");
}

#[tokio::test]
async fn c42_a_tag_that_moves_between_head_and_get() {
    let moved = r#"{"schemaVersion":2,"moved":true}"#;
    let new = Digest::sha256_of(moved.as_bytes()).to_string();
    let server = Server::start(move |heard| {
        if heard.method == "HEAD" {
            named()
        } else if heard.path.ends_with(&digest().to_string()) {
            served()
        } else {
            Answer::status(200)
                .with("docker-content-digest", new.clone())
                .body(moved)
        }
    })
    .await;
    let client = client(&server.url());
    let Head::Found(found) = head(&client).await else {
        panic!("found")
    };
    let fetched = client.get_manifest(&repository(), &found.digest).await.unwrap();
    assert_eq!(fetched.bytes.as_ref(), MANIFEST.as_bytes());
    let now = client.get_manifest_of(&repository(), &tag()).await.unwrap();
    assert_eq!(now.bytes.as_ref(), moved.as_bytes());
    assert_ne!(now.digest, fetched.digest, "each is what its own digest says");
}
