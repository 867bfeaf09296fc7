//! A box in the way that answers everything itself.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::StatusCode;
use portolan_shared::process::Tasks;

use super::server::Server;

/// Answers one bare status, without body or detail, to every request: a load balancer with nothing behind it, or a filter.
/// With a configuration from [`crate::tls::Alpn::Http1`] it also refuses to speak HTTP/2.
#[derive(Debug)]
pub struct MiddleBox {
    server: Server,
    requests: Arc<AtomicU64>,
}

impl MiddleBox {
    /// Starts it with the given certificate and answer.
    pub async fn start(
        tls: Option<Arc<rustls::ServerConfig>>,
        answer: StatusCode,
        tasks: &Tasks,
    ) -> anyhow::Result<Self> {
        let requests = Arc::new(AtomicU64::new(0));
        let seen = Arc::clone(&requests);
        let router = axum::Router::new().fallback(move || {
            seen.fetch_add(1, Ordering::SeqCst);
            async move { answer }
        });
        let server = Server::start("middle box", tls, router, tasks).await?;
        Ok(Self { server, requests })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Requests that it has answered.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::SeqCst)
    }

    /// TCP connections that it has accepted, whether or not a request came of them.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.server.connections()
    }
}
