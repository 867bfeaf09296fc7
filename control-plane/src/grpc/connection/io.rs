//! A connection that can be cut from elsewhere.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use prometheus::IntGauge;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::WaitForCancellationFutureOwned;
use tonic::transport::server::Connected;

use super::registry::{Connection, Connections};

/// The TLS stream of a sensor. Leaves the registry of connections when it is dropped.
pub(in crate::grpc) struct SensorIo {
    tls: TlsStream<TcpStream>,
    connection: Arc<Connection>,
    connections: Arc<Connections>,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
    gauge: IntGauge,
}

impl SensorIo {
    pub(super) fn new(
        tls: TlsStream<TcpStream>,
        connection: Arc<Connection>,
        connections: Arc<Connections>,
        gauge: IntGauge,
    ) -> Self {
        gauge.inc();
        Self {
            cut: Box::pin(connection.cut.clone().cancelled_owned()),
            tls,
            connection,
            connections,
            gauge,
        }
    }

    fn refuse_if_cut(&self) -> io::Result<()> {
        if self.connection.cut.is_cancelled() {
            Err(io::ErrorKind::ConnectionAborted.into())
        } else {
            Ok(())
        }
    }
}

impl Drop for SensorIo {
    fn drop(&mut self) {
        // Whoever still works for this connection learns that it is gone.
        self.connection.cut.cancel();
        self.connections.leave(&self.connection);
        self.gauge.dec();
    }
}

impl Connected for SensorIo {
    type ConnectInfo = Arc<Connection>;

    fn connect_info(&self) -> Arc<Connection> {
        Arc::clone(&self.connection)
    }
}

impl AsyncRead for SensorIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.cut.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        Pin::new(&mut self.tls).poll_read(context, buffer)
    }
}

impl AsyncWrite for SensorIo {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.refuse_if_cut()?;
        Pin::new(&mut self.tls).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.refuse_if_cut()?;
        Pin::new(&mut self.tls).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.tls.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.refuse_if_cut()?;
        Pin::new(&mut self.tls).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.refuse_if_cut()?;
        ready!(Pin::new(&mut self.tls).poll_shutdown(context))?;
        Poll::Ready(Ok(()))
    }
}
