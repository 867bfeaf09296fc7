//! Names to addresses, each checked: what is connected to is what was checked, for reqwest gets no other address.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::guard::{Guard, Hop, Purpose, Refusal};

/// Turns host names into addresses.
#[async_trait]
pub trait Resolver: Send + Sync {
    /// The addresses of `host`, in the order in which they are to be tried.
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// The operating system's resolver.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

#[async_trait]
impl Resolver for SystemResolver {
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((host, 0))
            .await?
            .map(|address| address.ip())
            .collect())
    }
}

/// A name resolves to nothing.
#[derive(Debug, thiserror::Error)]
#[error("the name does not resolve")]
pub(crate) struct Unresolved(#[source] pub(crate) Option<io::Error>);

/// A name resolves to refused addresses only.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the address {address} is refused")]
pub(crate) struct AddressRefused {
    pub(crate) address: IpAddr,
    pub(crate) refusal: Refusal,
}

/// The resolver of one endpoint.
pub(crate) struct GuardedResolver {
    pub(crate) resolver: Arc<dyn Resolver>,
    pub(crate) guard: Guard,
    pub(crate) to: Towards,
}

/// What the names that are resolved stand for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Towards {
    /// The host itself.
    Host {
        https: bool,
        port: u16,
        purpose: Purpose,
    },
    /// The proxy on the way, at this port. It resolves the host's name itself, out of our sight.
    Proxy { port: u16 },
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (resolver, guard) = (Arc::clone(&self.resolver), self.guard.clone());
        let to = self.to;
        Box::pin(async move {
            let host = name.as_str();
            let check = |address| match to {
                Towards::Host { https, port, purpose } => {
                    let hop = Hop {
                        https,
                        host,
                        port,
                        purpose,
                    };
                    guard.check_address(&hop, address)
                }
                Towards::Proxy { .. } => Guard::check_proxy(address),
            };
            let (Towards::Host { port, .. } | Towards::Proxy { port }) = to;
            let found = resolver
                .resolve(host)
                .await
                .map_err(|error| Unresolved(Some(error)))?;
            let mut refused = None;
            let mut allowed = Vec::with_capacity(found.len());
            for address in found {
                match check(address) {
                    Ok(()) => allowed.push(SocketAddr::new(address, port)),
                    Err(refusal) => refused = Some(AddressRefused { address, refusal }),
                }
            }
            match refused {
                _ if !allowed.is_empty() => Ok(Box::new(allowed.into_iter()) as Addrs),
                Some(refused) => Err(refused.into()),
                None => Err(Unresolved(None).into()),
            }
        })
    }
}
