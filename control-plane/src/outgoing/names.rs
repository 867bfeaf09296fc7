//! What names resolve to.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use futures::future::BoxFuture;

/// Resolves names of endpoints.
pub trait Names: Send + Sync + fmt::Debug {
    /// The addresses of a host, with this port.
    fn addresses<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>>;
}

/// As the machine resolves them.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemNames;

impl Names for SystemNames {
    fn addresses<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        Box::pin(async move { Ok(tokio::net::lookup_host((host, port)).await?.collect()) })
    }
}
