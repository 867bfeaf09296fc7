//! A connection whose peer has to say something in time.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// What a peer that speaks HTTP/2 sends first. Source: RFC 9113, section 3.4.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Fails to read when a peer has not shown in time which HTTP it speaks: until then no timer of the HTTP server runs.
pub(super) struct FirstBytes<S> {
    stream: S,
    /// None once it is known what the peer speaks.
    until: Option<Pin<Box<Sleep>>>,
    /// Bytes of the preface that have come.
    matched: usize,
}

impl<S> FirstBytes<S> {
    /// Gives the peer so much time.
    pub(super) fn within(stream: S, time: Duration) -> Self {
        Self {
            stream,
            until: Some(Box::pin(tokio::time::sleep(time))),
            matched: 0,
        }
    }

    /// Whether the bytes so far could still become either.
    fn is_undecided(&mut self, new: &[u8]) -> bool {
        let rest = &PREFACE[self.matched..];
        self.matched += new.len().min(rest.len());
        rest.len() > new.len() && rest.starts_with(new)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for FirstBytes<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buffer.filled().len();
        if let Poll::Ready(read) = Pin::new(&mut this.stream).poll_read(context, buffer) {
            read?;
            if this.until.is_some() && !this.is_undecided(&buffer.filled()[before..]) {
                this.until = None;
            }
            return Poll::Ready(Ok(()));
        }
        let Some(until) = &mut this.until else {
            return Poll::Pending;
        };
        ready!(until.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for FirstBytes<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    async fn survives(first: &[&[u8]]) -> bool {
        let (mut peer, stream) = tokio::io::duplex(64);
        let mut stream = FirstBytes::within(stream, Duration::from_millis(20));
        for bytes in first {
            peer.write_all(bytes).await.unwrap();
            stream.read_exact(&mut vec![0; bytes.len()]).await.unwrap();
        }
        if stream.until.is_none() {
            return true;
        }
        let nothing = stream.read_u8().await;
        assert_eq!(nothing.unwrap_err().kind(), io::ErrorKind::TimedOut);
        false
    }

    #[tokio::test]
    async fn time_runs_until_it_is_known_what_the_peer_speaks() {
        assert!(!survives(&[]).await);
        assert!(!survives(&[b"P"]).await);
        assert!(!survives(&[&PREFACE[..10], &PREFACE[10..23]]).await);
        assert!(survives(&[PREFACE]).await);
        assert!(survives(&[&PREFACE[..10], &PREFACE[10..]]).await);
        assert!(survives(&[b"GET /"]).await);
        assert!(survives(&[b"P", b"OST /"]).await);
    }
}
