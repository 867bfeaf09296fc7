//! Connections of the people's listener.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use http::Request;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use portolan_shared::model::limits;
use portolan_shared::process::Shutdown;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::first_bytes::FirstBytes;
use tower::util::MapRequest;

use crate::fair::{Shares, Source};

/// Requests at the same time on one HTTP/2 connection; more wait at the client.
const STREAMS: u32 = 64;
/// Bytes of one HTTP/2 stream, and of one HTTP/2 connection, that are taken in before somebody reads them.
const AHEAD: (u32, u32) = (64 * 1024, 256 * 1024);
/// Bytes of one HTTP/1 connection that are taken in before somebody reads them: the longest head of a request.
const HEAD: usize = 64 * 1024;
/// Time for what goes on at a connection of the greatest age to end: cut after.
const GRACE: Duration = Duration::from_secs(60);
/// Pause after a failed accept: out of file descriptors, mostly.
const PAUSE: Duration = Duration::from_millis(100);

/// What the listener gives to its peers.
#[derive(Debug, Clone)]
struct Bounds {
    /// Connections at the same time; more wait to be accepted.
    connections: usize,
    /// Connections from one source at the same time: dropped above. A proxy in front is one source.
    of_source: usize,
    /// Time for a TLS handshake, and for the first bytes of the first request.
    first: Duration,
    /// Time for the head of a request, the time between two requests included.
    head: Duration,
    /// How often an HTTP/2 peer is asked whether it is there.
    ping: Duration,
    /// How long its answer may take.
    pong: Duration,
    /// Age at which a connection takes no more requests.
    age: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            connections: limits::HTTP_CONNECTIONS,
            of_source: limits::HTTP_CONNECTIONS_PER_SOURCE,
            first: Duration::from_secs(10),
            head: Duration::from_secs(60),
            ping: Duration::from_secs(30),
            pong: Duration::from_secs(10),
            age: Duration::from_secs(600),
        }
    }
}

/// Serves `router` until `shutdown`: on drain nothing new is accepted and requests at hand are finished, on cut every connection is
/// closed. No connection outlives the returned future. Without `tls` it is plain HTTP; whether that may be is the caller's to decide.
pub async fn serve(
    listener: TcpListener,
    tls: Option<rustls::ServerConfig>,
    router: Router,
    shutdown: Shutdown,
) {
    serve_within(Bounds::default(), listener, tls, router, shutdown).await;
}

/// The same, with so many connections at the same time from one source.
pub async fn serve_sources(
    of_source: usize,
    listener: TcpListener,
    tls: Option<rustls::ServerConfig>,
    router: Router,
    shutdown: Shutdown,
) {
    let bounds = Bounds {
        of_source,
        ..Bounds::default()
    };
    serve_within(bounds, listener, tls, router, shutdown).await;
}

async fn serve_within(
    bounds: Bounds,
    listener: TcpListener,
    tls: Option<rustls::ServerConfig>,
    router: Router,
    shutdown: Shutdown,
) {
    let tls = tls.map(|config| TlsAcceptor::from(Arc::new(config)));
    let slots = Arc::new(Semaphore::new(bounds.connections));
    let sources = Shares::new(bounds.of_source, bounds.of_source);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = shutdown.draining() => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = accept(&listener, &slots) => match accepted {
                Ok((stream, remote, slot)) => {
                    let Some(place) = sources.enter(Source::of(remote.ip())) else {
                        tracing::debug!(%remote, "too many connections from one source");
                        continue;
                    };
                    let connection = Connection {
                        remote,
                        bounds: bounds.clone(),
                        router: router.clone(),
                        shutdown: shutdown.clone(),
                    };
                    let connection = connection.run(stream, tls.clone());
                    connections.spawn(async move {
                        connection.await;
                        drop((slot, place));
                    });
                }
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "cannot accept a connection");
                    tokio::time::sleep(PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    tokio::select! {
        () = shutdown.cutting() => {}
        () = async { while connections.join_next().await.is_some() {} } => {}
    }
    connections.shutdown().await;
}

async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let slot = Arc::clone(slots)
        .acquire_owned()
        .await
        .map_err(io::Error::other)?;
    let (stream, remote) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok((stream, remote, slot))
}

/// What one connection is served with.
struct Connection {
    remote: SocketAddr,
    bounds: Bounds,
    router: Router,
    shutdown: Shutdown,
}

impl Connection {
    async fn run(self, stream: TcpStream, tls: Option<TlsAcceptor>) {
        let Some(tls) = tls else {
            return self.answer(stream).await;
        };
        match tokio::time::timeout(self.bounds.first, tls.accept(stream)).await {
            Ok(Ok(stream)) => self.answer(stream).await,
            Ok(Err(error)) => {
                tracing::debug!(error = &error as &dyn std::error::Error, "TLS handshake failed");
            }
            Err(_) => tracing::debug!("TLS handshake took too long"),
        }
    }

    async fn answer(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let Self {
            remote,
            bounds,
            router,
            shutdown,
        } = self;
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(bounds.head)
            .max_buf_size(HEAD);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS)
            .initial_stream_window_size(AHEAD.0)
            .initial_connection_window_size(AHEAD.1)
            .keep_alive_interval(bounds.ping)
            .keep_alive_timeout(bounds.pong);
        let stream = TokioIo::new(FirstBytes::within(stream, bounds.first));
        let router = MapRequest::new(router, move |mut request: Request<_>| {
            request.extensions_mut().insert(ConnectInfo(remote));
            request
        });
        let connection = builder.serve_connection(stream, TowerToHyperService::new(router));
        tokio::pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = shutdown.draining() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
            () = tokio::time::sleep(bounds.age) => {
                connection.as_mut().graceful_shutdown();
                match tokio::time::timeout(GRACE, connection).await {
                    Ok(ended) => ended,
                    Err(_) => return tracing::debug!("a connection was cut because of its age"),
                }
            }
        };
        if let Err(error) = ended {
            tracing::debug!(
                error = &*error as &dyn std::error::Error,
                "a connection ended early"
            );
        }
    }
}

#[cfg(test)]
mod tests;
