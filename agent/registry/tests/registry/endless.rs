//! Servers without end: pages, bodies, errors, decompression, time.

use std::time::Duration;

use portolan_registry::{Fault, RegistryClient, WalkEnd};
use portolan_shared::model::{Digest, FindingCode, RepositoryName};

use crate::client::{access, repository};
use crate::server::{Answer, Body, Server, tags_page};

#[tokio::test]
async fn t45_pages_without_end_stop_at_their_bounds() {
    let server = Server::start(|heard| {
        let page: usize = heard.parameter("page").map_or(0, |page| page.parse().unwrap());
        let names: Vec<String> = (0..100).map(|name| format!("r{page}-{name}")).collect();
        Answer::json(tags_page(&names).replace("\"tags\"", "\"repositories\"")).with(
            "link",
            format!(
                r#"<http://evil.example.net/v2/_catalog?page={}>; rel="next""#,
                page + 1
            ),
        )
    })
    .await;
    for (repositories, pages, end) in [
        (1000, 1_000_000, WalkEnd::ItemBound),
        (1_000_000, 20, WalkEnd::PageBound),
    ] {
        let mut access = access(&server.url());
        (access.limits.repositories, access.limits.pages) = (repositories, pages);
        let client = RegistryClient::new(access).unwrap();
        let mut catalog = client.catalog();
        let mut listed: Vec<RepositoryName> = Vec::new();
        while let Some(page) = catalog.next_page().await.unwrap() {
            listed.extend(page.items);
        }
        assert_eq!(catalog.end(), Some(end));
        assert_eq!(listed.len(), repositories.min(pages * 100));
        assert_eq!(catalog.shortfall().unwrap().code, FindingCode::ListingIncomplete);
    }
    // The same names for ever, each time under a new cursor.
    let server = Server::start(|heard| {
        let page: usize = heard.parameter("page").map_or(0, |page| page.parse().unwrap());
        Answer::json(r#"{"tags":["a"]}"#).with("link", format!(r#"<?page={}>; rel="next""#, page + 1))
    })
    .await;
    let client = RegistryClient::new(access(&server.url())).unwrap();
    let mut tags = client.tags(&repository());
    while tags.next_page().await.unwrap().is_some() {}
    assert_eq!(tags.end(), Some(WalkEnd::Circle));
    assert!(server.heard().len() < 10);
}

#[tokio::test]
async fn t45_bodies_without_end_stop_at_their_bounds() {
    let piece = vec![b' '; 64 * 1024];
    let server = Server::start(move |_| Answer {
        body: Body::Endless(piece.clone(), Duration::ZERO),
        ..Answer::status(200)
    })
    .await;
    let client = RegistryClient::new(access(&server.url())).unwrap();
    let digest = Digest::sha256_of(b"");
    let error = client.get_manifest(&repository(), &digest).await.unwrap_err();
    assert_eq!(error.finding().code, FindingCode::ManifestTooLarge);
    let error = client
        .get_blob(&repository(), &digest, 1 << 20)
        .await
        .unwrap_err();
    assert!(matches!(error.fault(), Fault::TooLarge { bound } if *bound == 1 << 20));
    let most = (4 << 20) + (1 << 20) + 2 * 64 * 1024;
    assert!(
        client.counts().bytes <= most,
        "{} bytes were read",
        client.counts().bytes
    );
    // A length that is declared is the server's word: too large is what has been read up to the bound.
    let declared = Server::start(|_| Answer {
        body: Body::Endless(vec![b' '; 64 * 1024], Duration::ZERO),
        ..Answer::status(200).with("content-length", (10_u64 << 30).to_string())
    })
    .await;
    let client = RegistryClient::new(access(&declared.url())).unwrap();
    let error = client.get_manifest(&repository(), &digest).await.unwrap_err();
    assert!(matches!(error.fault(), Fault::TooLarge { .. }));
    let read = client.counts().bytes;
    assert!((4 << 20 < read) && read <= most, "{read} bytes were read");
}

#[tokio::test]
async fn t45_an_error_without_end_is_read_up_to_its_bound() {
    let server = Server::start(|_| Answer {
        body: Body::Endless(vec![b'x'; 16 * 1024], Duration::ZERO),
        ..Answer::status(403)
    })
    .await;
    let client = RegistryClient::new(access(&server.url())).unwrap();
    let error = client
        .get_manifest(&repository(), &Digest::sha256_of(b""))
        .await
        .unwrap_err();
    assert!(error.is_denied());
    assert!(client.counts().bytes <= 96 * 1024, "{}", client.counts().bytes);
}

/// 32 MiB of zeros and some, compressed to a few dozen kilobytes.
fn bomb() -> Vec<u8> {
    // A stored gzip member cannot be small, so the classic form is used: one deflate block with a fixed Huffman code that repeats a zero by
    // the longest match, distance 1, over and over.
    let mut bits = BitWriter::default();
    bits.put(1, 1);
    bits.put(1, 2);
    bits.code(0x30, 8);
    for _ in 0..(33 << 20) / 258 {
        bits.code(0b1100_0101, 8);
        bits.code(0, 5);
    }
    bits.code(0, 7);
    let mut bomb = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    bomb.extend(bits.finish());
    bomb
}

#[derive(Default)]
struct BitWriter {
    bytes: Vec<u8>,
    used: u32,
}

impl BitWriter {
    /// Least significant bit first, as deflate packs its fields.
    fn put(&mut self, value: u32, count: u32) {
        for bit in 0..count {
            if self.used.is_multiple_of(8) {
                self.bytes.push(0);
            }
            let last = self.bytes.len() - 1;
            self.bytes[last] |= u8::from(value >> bit & 1 == 1) << (self.used % 8);
            self.used += 1;
        }
    }

    /// Most significant bit first, as deflate packs its codes.
    fn code(&mut self, value: u32, count: u32) {
        for bit in (0..count).rev() {
            self.put(value >> bit & 1, 1);
        }
    }

    fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

#[tokio::test]
async fn t45_a_decompression_bomb_stops_at_the_bound_of_what_it_unpacks_to() {
    let bomb = bomb();
    assert!(bomb.len() < 300 * 1024, "{} bytes", bomb.len());
    let server = Server::start(move |_| {
        Answer::json("")
            .with("content-encoding", "gzip")
            .body(bomb.clone())
    })
    .await;
    let client = RegistryClient::new(access(&server.url())).unwrap();
    let error = client.tags(&repository()).next_page().await.unwrap_err();
    assert_eq!(error.finding().code, FindingCode::TooLarge, "{error:?}");
    let read = client.counts().bytes;
    assert!((32 << 20..34 << 20).contains(&read), "{read} bytes were unpacked");
}

#[tokio::test]
async fn t45_a_server_that_trickles_runs_out_of_time() {
    let server = Server::start(|_| Answer {
        body: Body::Endless(b" ".to_vec(), Duration::from_millis(5)),
        ..Answer::status(200)
    })
    .await;
    let mut trickling = access(&server.url());
    trickling.limits.total = Duration::from_millis(200);
    trickling.limits.retry.retries = 1;
    let error = RegistryClient::new(trickling)
        .unwrap()
        .get_manifest(&repository(), &Digest::sha256_of(b""))
        .await
        .unwrap_err();
    assert!(
        matches!(error.fault(), Fault::TimedOut { .. }) && error.is_transient(),
        "{error:?}"
    );
    // And one that stops altogether.
    let server = Server::start(|_| Answer {
        body: Body::Endless(b" ".to_vec(), Duration::from_secs(3600)),
        ..Answer::status(200)
    })
    .await;
    let mut silent = access(&server.url());
    silent.limits.idle = Duration::from_millis(50);
    silent.limits.retry.retries = 1;
    let error = RegistryClient::new(silent)
        .unwrap()
        .get_manifest(&repository(), &Digest::sha256_of(b""))
        .await
        .unwrap_err();
    assert!(
        matches!(error.fault(), Fault::TimedOut { after } if *after == Duration::from_millis(50)),
        "{error:?}"
    );
}

#[tokio::test]
async fn t45_nesting_without_end_is_passed_over_or_refused() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let deep = format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
        for (around, listed) in [
            ("{\"more\":%,\"tags\":[\"a\"]}", Some((1, 0))),
            ("{\"tags\":[\"a\",%]}", Some((1, 1))),
            ("%", None),
        ] {
            let body = around.replace('%', &deep);
            let server = Server::start(move |_| Answer::json(body.clone())).await;
            let client = RegistryClient::new(access(&server.url())).unwrap();
            let mut tags = client.tags(&repository());
            match (tags.next_page().await, listed) {
                (Ok(page), Some((items, malformed))) => {
                    assert_eq!(
                        page.unwrap().items.len(),
                        items,
                        "what nobody reads costs nobody anything"
                    );
                    assert_eq!(tags.malformed(), malformed);
                }
                (Err(error), None) => assert_eq!(error.finding().code, FindingCode::Protocol),
                (other, _) => panic!("{around}: {other:?}"),
            }
        }
    }
}
