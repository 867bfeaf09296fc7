//! Hosts that a credential may be used towards.

use std::fmt;
use std::str::FromStr;

use super::fields::{Fields, put};
use crate::model::{RegistryUrl, limits};

/// A host with its port, in one canonical form: as a URL has it, a name in lower case without a dot at its end and in its ASCII form,
/// IPv4 addresses with four decimal numbers, IPv6 addresses in brackets and shortened. Shown as `HOST:PORT`, always with the port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BoundHost {
    host: String,
    port: u16,
}

/// A host, or a list of them, that a credential cannot be bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// Not a host with or without a port.
    #[error("not a host: expected HOST or HOST:PORT, without a scheme, a user name or a path")]
    Host,
    /// Too many of them.
    #[error(
        "{0} hosts are too many: a credential is bound to at most {max} of each kind", max = limits::BOUND_HOSTS
    )]
    TooMany(usize),
}

impl BoundHost {
    /// The host, without the port.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl From<&RegistryUrl> for BoundHost {
    fn from(url: &RegistryUrl) -> Self {
        Self {
            host: url.host().to_owned(),
            port: url.port(),
        }
    }
}

impl FromStr for BoundHost {
    type Err = HostError;

    /// Reads `HOST` or `HOST:PORT`; the port is 443 if none is given.
    fn from_str(text: &str) -> Result<Self, HostError> {
        let foreign = |c: char| c.is_control() || c.is_whitespace() || "/?#@\\".contains(c);
        if text.contains(foreign) || text.ends_with(':') {
            return Err(HostError::Host);
        }
        let url: RegistryUrl = format!("https://{text}").parse().map_err(|_| HostError::Host)?;
        Ok(Self::from(&url))
    }
}

impl fmt::Display for BoundHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Up to [`limits::BOUND_HOSTS`] hosts, sorted, each once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BoundHosts(Vec<BoundHost>);

impl BoundHosts {
    /// These hosts, in any order, however often each is named.
    pub fn new(hosts: impl IntoIterator<Item = BoundHost>) -> Result<Self, HostError> {
        let mut hosts: Vec<_> = hosts.into_iter().collect();
        hosts.sort();
        hosts.dedup();
        if hosts.len() > limits::BOUND_HOSTS {
            return Err(HostError::TooMany(hosts.len()));
        }
        Ok(Self(hosts))
    }

    /// Whether this is one of them. Both are taken in canonical form: lower case, IPv6 addresses in brackets.
    #[must_use]
    pub fn contains(&self, host: &str, port: u16) -> bool {
        self.0.iter().any(|one| one.host == host && one.port == port)
    }

    /// All of them, ascending.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &BoundHost> {
        self.0.iter()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for host in &self.0 {
            put(&mut out, host.to_string().as_bytes());
        }
        out
    }

    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields(bytes);
        let mut hosts: Vec<BoundHost> = Vec::new();
        while fields.end().is_none() {
            let text = fields.text()?;
            let host: BoundHost = text.parse().ok()?;
            let ascends = hosts.last().is_none_or(|last| *last < host);
            if host.to_string() != text || !ascends || hosts.len() == limits::BOUND_HOSTS {
                return None;
            }
            hosts.push(host);
        }
        Some(Self(hosts))
    }
}

impl<'a> IntoIterator for &'a BoundHosts {
    type Item = &'a BoundHost;
    type IntoIter = std::slice::Iter<'a, BoundHost>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}
