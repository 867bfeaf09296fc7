//! Bodies that no honest server sends.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures::{StreamExt as _, stream};

/// What a handler's body is read up to before it is changed, in bytes; handlers of doubles stay far below.
const READ: usize = 64 * 1024 * 1024;

async fn read(body: Body) -> Bytes {
    axum::body::to_bytes(body, READ).await.unwrap_or_default()
}

/// The body with one byte changed, the same length.
pub(super) async fn garbled(body: Body) -> Body {
    let mut bytes = read(body).await.to_vec();
    if let Some(last) = bytes.last_mut() {
        // A trailing brace becomes a bracket and so on: still printable, no longer the same.
        *last ^= 0x20;
    }
    Body::from(bytes)
}

/// The first `length` bytes, then the end of the connection.
pub(super) async fn truncated(body: Body, length: usize) -> Body {
    let bytes = read(body).await;
    let cut = bytes.slice(..length.min(bytes.len()));
    let end = stream::once(async { Err(std::io::Error::other("cut on purpose")) });
    Body::from_stream(stream::once(async { Ok(cut) }).chain(end))
}

/// The body byte by byte.
pub(super) fn trickled(body: Body, wait: Duration) -> Body {
    let frames = body.into_data_stream().flat_map(move |frame| {
        let bytes = frame.unwrap_or_default();
        stream::iter((0..bytes.len()).map(move |at| bytes.slice(at..=at))).then(move |byte| async move {
            tokio::time::sleep(wait).await;
            Ok::<_, std::io::Error>(byte)
        })
    });
    Body::from_stream(frames)
}

/// Spaces without end.
pub(super) fn endless() -> Body {
    let spaces = Bytes::from(vec![b' '; 64 * 1024]);
    Body::from_stream(stream::repeat_with(move || {
        Ok::<_, std::io::Error>(spaces.clone())
    }))
}

/// A gzip stream that unpacks to spaces without end.
///
/// RFC 1951: one block with fixed codes; a literal space (8 bits), then copies of 258 bytes at distance 1, which take 13 bits each
/// (length code 285 is 11000101, distance code 0 is 00000). Eight copies fill 13 bytes exactly, so the pattern repeats.
pub(super) fn endless_gzip() -> Body {
    // RFC 1952 header: magic, deflate, no flags, no time, no extra flags, unknown system.
    let mut head = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let mut bits = Bits::default();
    bits.push("1"); // last block
    bits.push("10"); // fixed codes: the value 1, low bit first
    bits.push("01010000"); // literal 0x20: 0x30 + 0x20
    // Enough copies to end on a byte: 3 + 8 + 13 n is a multiple of 8 for n = 1.
    bits.push("1100010100000");
    head.extend(bits.bytes);
    let mut pattern = Bits::default();
    for _ in 0..8 {
        pattern.push("1100010100000");
    }
    let chunk = Bytes::from(pattern.bytes.repeat(1024));
    let tail = stream::repeat_with(move || Ok::<_, std::io::Error>(chunk.clone()));
    Body::from_stream(stream::once(async { Ok(Bytes::from(head)) }).chain(tail))
}

/// Packs bits as deflate does, the first into the lowest bit of the first byte.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    used: u32,
}

impl Bits {
    fn push(&mut self, bits: &str) {
        for bit in bits.bytes() {
            if self.used.is_multiple_of(8) {
                self.bytes.push(0);
            }
            if let Some(byte) = self.bytes.last_mut() {
                *byte |= u8::from(bit == b'1') << (self.used % 8);
            }
            self.used += 1;
        }
    }
}
