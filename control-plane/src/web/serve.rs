//! Connections of the people's listener.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use portolan_shared::process::Shutdown;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// Connections at the same time; more wait to be accepted.
const CONNECTIONS: usize = 1_024;
/// Requests at the same time on one HTTP/2 connection; more wait at the client.
const STREAMS: u32 = 64;
/// Time for a TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Time for the head of a request, the time between two requests included.
const HEAD: Duration = Duration::from_secs(60);
/// Pause after a failed accept: out of file descriptors, mostly.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves `router` until `shutdown`: on drain nothing new is accepted and requests at hand are finished, on cut every connection is
/// closed. No connection outlives the returned future. Without `tls` it is plain HTTP; whether that may be is the caller's to decide.
pub async fn serve(
    listener: TcpListener,
    tls: Option<rustls::ServerConfig>,
    router: Router,
    shutdown: Shutdown,
) {
    serve_at_most(CONNECTIONS, listener, tls, router, shutdown).await;
}

async fn serve_at_most(
    bound: usize,
    listener: TcpListener,
    tls: Option<rustls::ServerConfig>,
    router: Router,
    shutdown: Shutdown,
) {
    let tls = tls.map(|config| TlsAcceptor::from(Arc::new(config)));
    let slots = Arc::new(Semaphore::new(bound));
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = shutdown.draining() => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = accept(&listener, &slots) => match accepted {
                Ok((stream, slot)) => {
                    let connection = connection(stream, tls.clone(), router.clone(), shutdown.clone());
                    connections.spawn(async move {
                        connection.await;
                        drop(slot);
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
) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let slot = Arc::clone(slots)
        .acquire_owned()
        .await
        .map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok((stream, slot))
}

async fn connection(stream: TcpStream, tls: Option<TlsAcceptor>, router: Router, shutdown: Shutdown) {
    let Some(tls) = tls else {
        return answer(stream, router, shutdown).await;
    };
    match tokio::time::timeout(HANDSHAKE, tls.accept(stream)).await {
        Ok(Ok(stream)) => answer(stream, router, shutdown).await,
        Ok(Err(error)) => tracing::debug!(error = &error as &dyn std::error::Error, "TLS handshake failed"),
        Err(_) => tracing::debug!("TLS handshake took too long"),
    }
}

async fn answer(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    router: Router,
    shutdown: Shutdown,
) {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .keep_alive_interval(HEAD)
        .keep_alive_timeout(HANDSHAKE);
    let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = shutdown.draining() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(
            error = &*error as &dyn std::error::Error,
            "a connection ended early"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    async fn ask(stream: &mut TcpStream) {
        stream
            .write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            .await
            .unwrap();
    }

    async fn answered(stream: &mut TcpStream) {
        let mut some = [0; 512];
        let read = stream.read(&mut some).await.unwrap();
        assert!(some[..read].starts_with(b"HTTP/1.1 200"));
    }

    #[tokio::test]
    #[expect(clippy::disallowed_methods, reason = "a test owns its task by its handle")]
    async fn connections_above_the_bound_wait_until_one_ends() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/", get(async || "here"));
        let shutdown = Shutdown::new();
        let server = tokio::spawn(serve_at_most(1, listener, None, router, shutdown.clone()));
        let mut first = TcpStream::connect(address).await.unwrap();
        ask(&mut first).await;
        answered(&mut first).await;
        let mut second = TcpStream::connect(address).await.unwrap();
        ask(&mut second).await;
        for _ in 0..20 {
            ask(&mut first).await;
            answered(&mut first).await;
        }
        let early = second.try_read(&mut [0; 1]);
        assert_eq!(early.unwrap_err().kind(), io::ErrorKind::WouldBlock);
        drop(first);
        answered(&mut second).await;
        drop(second);
        shutdown.start_drain();
        server.await.unwrap();
    }
}
