//! Where a caller comes from.

use std::net::IpAddr;

/// The kind of network that a request came from. Behind a proxy it is the proxy's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SourceClass {
    /// The control plane's own machine.
    Loopback,
    /// A network that the internet does not route: RFC 1918, RFC 6598, RFC 4193, link-local.
    Private,
    /// Any other.
    Public,
    /// Not known: the request did not come over a network.
    Unknown,
}

impl SourceClass {
    /// The kind that an address is of.
    pub(super) fn of(address: Option<IpAddr>) -> Self {
        match address.map(|address| address.to_canonical()) {
            None => Self::Unknown,
            Some(address) if address.is_loopback() => Self::Loopback,
            Some(IpAddr::V4(address)) => {
                let [a, b, ..] = address.octets();
                let is_shared = a == 100 && (64..128).contains(&b);
                if address.is_private() || address.is_link_local() || is_shared {
                    Self::Private
                } else {
                    Self::Public
                }
            }
            Some(IpAddr::V6(address)) if address.is_unique_local() || address.is_unicast_link_local() => {
                Self::Private
            }
            Some(IpAddr::V6(_)) => Self::Public,
        }
    }

    /// The word for it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Loopback => "loopback",
            Self::Private => "private",
            Self::Public => "public",
            Self::Unknown => "unknown",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_is_of_one_kind() {
        for (address, kind) in [
            ("127.0.0.1", "loopback"),
            ("::1", "loopback"),
            ("::ffff:127.0.0.9", "loopback"),
            ("10.1.2.3", "private"),
            ("172.31.255.255", "private"),
            ("172.32.0.1", "public"),
            ("192.168.0.1", "private"),
            ("::ffff:192.168.0.1", "private"),
            ("169.254.1.1", "private"),
            ("100.64.0.1", "private"),
            ("100.127.255.255", "private"),
            ("100.128.0.1", "public"),
            ("fd00::1", "private"),
            ("fe80::1", "private"),
            ("198.51.100.7", "public"),
            ("2001:db8::1", "public"),
        ] {
            let found = SourceClass::of(Some(address.parse().unwrap()));
            assert_eq!(found.as_str(), kind, "{address}");
        }
        assert_eq!(SourceClass::of(None).as_str(), "unknown");
    }
}
