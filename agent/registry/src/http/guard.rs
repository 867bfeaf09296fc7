//! Where this crate may connect to: asked before every request, at every redirect, and for every address a name resolves to.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use async_trait::async_trait;
use portolan_shared::model::{meanings_of_address, never_contacted};

/// Why a host is contacted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// It is the registry itself.
    Registry,
    /// The registry names it as its token service, or it is the product's own API on another host, as GitLab's is.
    Realm,
    /// The registry redirects to it, mostly for blobs.
    Storage,
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Registry => "registry",
            Self::Realm => "token service",
            Self::Storage => "storage",
        })
    }
}

/// One step of a request: which host, and what for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hop<'a> {
    /// Whether over TLS.
    pub https: bool,
    /// Host in lower case, without a dot at its end; IPv6 addresses in brackets.
    pub host: &'a str,
    /// Port.
    pub port: u16,
    /// What for.
    pub purpose: Purpose,
}

impl Hop<'_> {
    /// The address, if the host is written as one: then no name is resolved.
    #[must_use]
    pub fn literal(&self) -> Option<IpAddr> {
        let host = self.host;
        match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            Some(inner) => inner.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
            None => host.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
        }
    }
}

/// A gate said no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("refused by rule {rule}")]
pub struct Refusal {
    /// The stable id of the rule.
    pub rule: Cow<'static, str>,
}

impl Refusal {
    /// A refusal by the rule of this id.
    #[must_use]
    pub fn by(rule: impl Into<Cow<'static, str>>) -> Self {
        Self { rule: rule.into() }
    }
}

/// A place among the requests in flight: given back when dropped.
#[derive(Default)]
pub struct Pass(
    #[expect(dead_code, reason = "held for what it does when it is dropped")] Option<Box<dyn Send>>,
);

impl Pass {
    /// A place that is given back by dropping `place`.
    #[must_use]
    pub fn of(place: impl Send + 'static) -> Self {
        Self(Some(Box::new(place)))
    }
}

/// Whether and when requests may be sent: the local policy on the hosts that may be contacted, and a moment to wait for. Asked on every
/// request, so answers must be quick and may change.
///
/// What a gate could forget to pass on to the one behind it without anybody noticing has no default: only questions that a forgetful gate
/// answers with no have one.
#[async_trait]
pub trait Gate: Send + Sync {
    /// Returns once the next request may be sent. Waited for before every one of them: repeated ones, redirects and token requests are
    /// no exception.
    async fn ready(&self);

    /// Waits for a place among the requests in flight of whoever has this gate, beside the bound of the client itself. Asked once for each
    /// attempt at a request, redirects included, before [`Gate::ready`]: a turn that was taken is used at once.
    async fn place(&self) -> Pass;

    /// A request goes to this host now, or a connection of the doctor's: everything was asked, and answered with yes.
    fn contacted(&self, hop: &Hop<'_>);

    /// So many bytes came from this host: of an answer's headers, or of its body. A refusal ends the reading of it.
    fn received(&self, hop: &Hop<'_>, bytes: usize) -> Result<(), Refusal>;

    /// Whether this host may be contacted at all. Asked before any name is resolved.
    fn check_host(&self, hop: &Hop<'_>) -> Result<(), Refusal>;

    /// Whether this address, which is the host's, may be connected to. [`AddressRules`] has been asked before.
    fn check_address(&self, hop: &Hop<'_>, address: IpAddr) -> Result<(), Refusal>;

    /// Whether loopback addresses may be connected to for this host, although the registry is not one of this machine.
    fn allows_loopback(&self, hop: &Hop<'_>) -> bool {
        let _ = hop;
        false
    }

    /// Whether the credential may be sent to this token service, although it is on a host that has nothing to do with the registry's.
    fn allows_realm(&self, realm: &Hop<'_>) -> bool {
        let _ = realm;
        false
    }
}

/// Lets everything pass that [`AddressRules`] lets pass: for use of this crate on its own.
#[derive(Debug, Clone, Copy, Default)]
pub struct AnyHost;

#[async_trait]
impl Gate for AnyHost {
    async fn ready(&self) {}

    async fn place(&self) -> Pass {
        Pass::default()
    }

    fn contacted(&self, _: &Hop<'_>) {}

    fn received(&self, _: &Hop<'_>, _: usize) -> Result<(), Refusal> {
        Ok(())
    }

    fn check_host(&self, _: &Hop<'_>) -> Result<(), Refusal> {
        Ok(())
    }

    fn check_address(&self, _: &Hop<'_>, _: IpAddr) -> Result<(), Refusal> {
        Ok(())
    }
}

/// The addresses that are never connected to, whatever a gate says.
#[derive(Debug, Clone, Copy, Default)]
pub struct AddressRules {
    /// Whether the registry itself is named by a loopback address or `localhost`: then it may send us to loopback.
    pub registry_is_loopback: bool,
}

impl AddressRules {
    /// Checks one address. `loopback` is whether a gate permits loopback for this host.
    pub fn check(&self, address: IpAddr, loopback: bool) -> Result<(), Refusal> {
        if let Some(rule) = never_contacted(address) {
            return Err(Refusal::by(rule));
        }
        if means_loopback(address) && !loopback && !self.registry_is_loopback {
            return Err(Refusal::by("address.loopback"));
        }
        Ok(())
    }
}

fn means_loopback(address: IpAddr) -> bool {
    meanings_of_address(address).iter().any(IpAddr::is_loopback)
}

/// Ports of services that speak something else than HTTP: a token service or a storage host never listens there, so being sent to one
/// is an attempt to use this program against it.
const FOREIGN_PORTS: [u16; 24] = [
    21, 22, 23, 25, 53, 110, 111, 119, 135, 139, 143, 389, 445, 465, 587, 636, 993, 995, 1433, 1521, 3306,
    5432, 6379, 11211,
];

/// Gate and address rules together, as every request meets them.
#[derive(Clone)]
pub struct Guard {
    gate: Arc<dyn Gate>,
    rules: AddressRules,
}

impl Guard {
    /// For one registry.
    #[must_use]
    pub fn new(gate: Arc<dyn Gate>, registry: &Hop<'_>) -> Self {
        let loopback = registry.host == "localhost" || registry.literal().is_some_and(means_loopback);
        Self {
            gate,
            rules: AddressRules {
                registry_is_loopback: loopback,
            },
        }
    }

    /// Checks the host, and its address if it is written as one: reqwest asks no resolver then.
    pub fn check_host(&self, hop: &Hop<'_>, literal: Option<IpAddr>) -> Result<(), Refused> {
        if hop.purpose != Purpose::Registry && FOREIGN_PORTS.contains(&hop.port) {
            return Err(Refused::Host(Refusal::by("port.foreign")));
        }
        self.gate.check_host(hop).map_err(Refused::Host)?;
        match literal {
            Some(address) => self
                .check_address(hop, address)
                .map_err(|refusal| Refused::Address(address, refusal)),
            None => Ok(()),
        }
    }

    /// Checks an address that the host's name resolved to.
    pub fn check_address(&self, hop: &Hop<'_>, address: IpAddr) -> Result<(), Refusal> {
        self.rules.check(address, self.gate.allows_loopback(hop))?;
        self.gate.check_address(hop, address)
    }

    /// Checks the address of a proxy. It was named by whoever administers this machine, so that it may be on the machine itself.
    pub(crate) fn check_proxy(address: IpAddr) -> Result<(), Refusal> {
        AddressRules::default().check(address, true)
    }

    pub(crate) fn allows_realm(&self, realm: &Hop<'_>) -> bool {
        self.gate.allows_realm(realm)
    }

    pub(crate) async fn ready(&self) {
        self.gate.ready().await;
    }

    pub(crate) async fn place(&self) -> Pass {
        self.gate.place().await
    }

    pub(crate) fn received(&self, hop: &Hop<'_>, bytes: usize) -> Result<(), Refusal> {
        self.gate.received(hop, bytes)
    }

    pub(crate) fn contacted(&self, hop: &Hop<'_>) {
        self.gate.contacted(hop);
    }
}

/// What was refused.
#[derive(Debug)]
pub enum Refused {
    /// The host.
    Host(Refusal),
    /// The address that the host is written as.
    Address(IpAddr, Refusal),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, rules: AddressRules, loopback: bool) -> Result<(), String> {
        rules
            .check(text.parse().unwrap(), loopback)
            .map_err(|refusal| refusal.rule.into_owned())
    }

    #[test]
    fn t43_metadata_and_link_local_are_refused_in_every_spelling() {
        let open = AddressRules {
            registry_is_loopback: true,
        };
        for (bad, rule) in [
            ("169.254.169.254", "address.link_local"),
            ("169.254.0.1", "address.link_local"),
            ("::ffff:169.254.169.254", "address.link_local"),
            ("::169.254.169.254", "address.link_local"),
            ("64:ff9b::a9fe:a9fe", "address.link_local"),
            ("2002:a9fe:a9fe::1", "address.link_local"),
            ("fe80::1", "address.link_local"),
            ("febf::1", "address.link_local"),
            ("fd00:ec2::254", "address.metadata"),
            ("100.100.100.200", "address.metadata"),
            ("168.63.129.16", "address.metadata"),
            ("192.0.0.192", "address.metadata"),
            ("fd20:ce::254", "address.metadata"),
            ("64:ff9b:1::a9fe:a9fe", "address.link_local"),
            ("::ffff:100.100.100.200", "address.metadata"),
            ("224.0.0.1", "address.multicast"),
            ("255.255.255.255", "address.multicast"),
            ("ff02::1", "address.multicast"),
            ("0.0.0.0", "address.unspecified"),
            ("0.1.2.3", "address.unspecified"),
            ("::", "address.unspecified"),
            ("::ffff:0.0.0.0", "address.unspecified"),
        ] {
            assert_eq!(check(bad, open, true), Err(rule.to_owned()), "{bad}");
        }
    }

    #[test]
    fn t43_loopback_needs_a_reason() {
        let strict = AddressRules::default();
        for loopback in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(
                check(loopback, strict, false),
                Err("address.loopback".to_owned()),
                "{loopback}"
            );
            assert_eq!(check(loopback, strict, true), Ok(()), "{loopback}");
            let local = AddressRules {
                registry_is_loopback: true,
            };
            assert_eq!(check(loopback, local, false), Ok(()), "{loopback}");
        }
        for fine in [
            "10.0.0.1",
            "192.168.1.1",
            "172.16.0.1",
            "8.8.8.8",
            "fd00::1",
            "2001:db8::1",
            "100.64.0.1",
        ] {
            assert_eq!(
                check(fine, strict, false),
                Ok(()),
                "private networks are where registries live: {fine}"
            );
        }
    }
}
