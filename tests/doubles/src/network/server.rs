//! The listener that every double is served by: loopback, a free port, HTTP/1.1 and HTTP/2, with or without TLS.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Context as _;
use axum::body::Body;
use axum::response::Response;
use http::Request;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use portolan_shared::process::Tasks;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::{CancellationToken, DropGuard};
use tower::ServiceExt as _;

use super::resettable::{Reset, Resettable};

/// A running HTTP server. Dropping it closes the listener and every connection.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    secure: bool,
    connections: Arc<AtomicUsize>,
    _stop: DropGuard,
}

impl Server {
    /// Serves `router` on a free loopback port until dropped or until the tasks' drain. With `tls`, over TLS.
    pub async fn start(
        name: &'static str,
        tls: Option<Arc<rustls::ServerConfig>>,
        router: axum::Router,
        tasks: &Tasks,
    ) -> anyhow::Result<Self> {
        Ok(Self::bind(tls).await?.serve(name, router, tasks))
    }

    /// Takes a free loopback port, so that what will be served there can be told where it is.
    pub(crate) async fn bind(tls: Option<Arc<rustls::ServerConfig>>) -> anyhow::Result<Listening> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .context("bind a loopback port")?;
        let address = listener.local_addr().context("read the bound address")?;
        Ok(Listening {
            listener,
            address,
            tls,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its address as a URL without a path, such as `https://127.0.0.1:40001`.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// How many TCP connections it has accepted.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// A port that is taken, and not served yet.
pub(crate) struct Listening {
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<Arc<rustls::ServerConfig>>,
}

impl Listening {
    /// The URL that it will be served at, by this name or by its address.
    pub(crate) fn url(&self, host: Option<&str>) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        match host {
            Some(host) => format!("{scheme}://{host}:{}", self.address.port()),
            None => format!("{scheme}://{}", self.address),
        }
    }

    /// Serves `router`, as [`Server::start`] does.
    pub(crate) fn serve(self, name: &'static str, router: axum::Router, tasks: &Tasks) -> Server {
        let stop = CancellationToken::new();
        let connections = Arc::new(AtomicUsize::new(0));
        let secure = self.tls.is_some();
        let acceptor = Acceptor {
            tls: self.tls.map(TlsAcceptor::from),
            router,
            tasks: tasks.clone(),
            stop: stop.clone(),
            connections: Arc::clone(&connections),
        };
        tasks.spawn(name, acceptor.run(self.listener));
        Server {
            address: self.address,
            secure,
            connections,
            _stop: stop.drop_guard(),
        }
    }
}

#[derive(Clone)]
struct Acceptor {
    tls: Option<TlsAcceptor>,
    router: axum::Router,
    tasks: Tasks,
    stop: CancellationToken,
    connections: Arc<AtomicUsize>,
}

impl Acceptor {
    async fn run(self, listener: TcpListener) {
        loop {
            let stream = tokio::select! {
                () = self.stop.cancelled() => return,
                () = self.tasks.shutdown().draining() => return,
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => stream,
                    // Out of file descriptors, or the peer has gone already: the next one may do better.
                    Err(_) => { tokio::task::yield_now().await; continue }
                },
            };
            self.connections.fetch_add(1, Ordering::SeqCst);
            let this = self.clone();
            self.tasks.spawn("double's connection", async move {
                let reset = Reset::default();
                tokio::select! {
                    () = this.stop.cancelled() => {}
                    () = this.tasks.shutdown().draining() => {}
                    () = reset.asked() => {}
                    () = this.serve(stream, reset.clone()) => {}
                }
            });
        }
    }

    async fn serve(&self, stream: TcpStream, reset: Reset) {
        // Small answers must not wait for the peer's delayed acknowledgement.
        let _ = stream.set_nodelay(true);
        let stream = Resettable {
            stream,
            reset: reset.clone(),
        };
        match &self.tls {
            None => self.speak(stream, reset).await,
            Some(tls) => {
                if let Ok(stream) = tls.accept(stream).await {
                    self.speak(stream, reset).await;
                }
            }
        }
    }

    async fn speak(&self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, reset: Reset) {
        let router = self.router.clone();
        let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(reset.clone());
            let router = router.clone();
            async move {
                let response: Result<Response, std::convert::Infallible> =
                    router.oneshot(request.map(Body::new)).await;
                response
            }
        });
        // A connection that ends badly is the client's to report; the double has nothing to add.
        let _ = auto::Builder::new(OnTasks(self.tasks.clone()))
            .serve_connection(TokioIo::new(stream), service)
            .await;
    }
}

/// Runs HTTP/2 streams as named tasks.
#[derive(Clone)]
struct OnTasks(Tasks);

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for OnTasks {
    fn execute(&self, future: F) {
        self.0.spawn("double's stream", future);
    }
}
