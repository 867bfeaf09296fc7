//! A TCP stream that can be ended by a reset instead of an orderly close.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

/// Asks that a connection be reset. Every request carries its connection's one as an extension.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reset(CancellationToken);

impl Reset {
    /// Resets the connection that this belongs to.
    pub(crate) fn now(&self) {
        self.0.cancel();
    }

    /// Returns once the reset has been asked for.
    pub(crate) async fn asked(&self) {
        self.0.cancelled().await;
    }
}

/// The stream. When it is dropped after a reset was asked for, the peer sees RST.
pub(super) struct Resettable {
    pub(super) stream: TcpStream,
    pub(super) reset: Reset,
}

impl Drop for Resettable {
    fn drop(&mut self) {
        if self.reset.0.is_cancelled() {
            // Without it the peer sees an orderly end, which is a weaker fault but still one.
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Resettable {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Resettable {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
