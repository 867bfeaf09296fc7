//! Hosts that are reached without a proxy: what `NO_PROXY` holds.

use std::net::IpAddr;

/// Hosts that are reached without a proxy, as Go's programs read `NO_PROXY`, which is what administrators know: `host` is that host and
/// every one below it, `.suffix` (or `*.suffix`) those below it alone, an address is that address, a network (`10.0.0.0/8`) every address
/// in it, `*` everything. Each may end with `:PORT`, but a network.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProxyExceptions(Vec<Exception>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Exception {
    hosts: Hosts,
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Hosts {
    All,
    /// The host and those below it.
    Domain(String),
    /// Those below alone.
    Below(String),
    Address(IpAddr),
    Network(IpAddr, u32),
}

impl ProxyExceptions {
    /// Reads a list, separated by commas. What is none of the known forms matches nothing, as elsewhere.
    #[must_use]
    pub fn read(list: &str) -> Self {
        Self(list.split(',').filter_map(Exception::read).collect())
    }

    /// Whether `host` (IPv6 addresses with or without brackets) is reached without a proxy on this port.
    #[must_use]
    pub fn cover(&self, host: &str, port: u16) -> bool {
        let host = normalised(host);
        let address: Option<IpAddr> = host.parse().ok().map(plain);
        self.0.iter().any(|exception| {
            exception.port.is_none_or(|only| only == port) && exception.hosts.hold(&host, address)
        })
    }
}

fn normalised(host: &str) -> String {
    host.trim_matches(['[', ']'])
        .trim_end_matches('.')
        .to_ascii_lowercase()
}

/// An IPv4 address that is written as an IPv6 one is the same address.
fn plain(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

impl Exception {
    fn read(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_lowercase();
        if text.is_empty() {
            return None;
        }
        let everywhere = |hosts| Some(Self { hosts, port: None });
        if text == "*" {
            return everywhere(Hosts::All);
        }
        if let Some((address, bits)) = text.split_once('/') {
            let (address, bits) = (address.parse::<IpAddr>().ok()?, bits.parse::<u32>().ok()?);
            let most = if address.is_ipv4() { 32 } else { 128 };
            return (bits <= most).then_some(Self {
                hosts: Hosts::Network(address, bits),
                port: None,
            });
        }
        if let Ok(address) = text.trim_matches(['[', ']']).parse::<IpAddr>() {
            return everywhere(Hosts::Address(plain(address)));
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => (host, Some(port.parse().ok()?)),
            None => (text.as_str(), None),
        };
        let host = normalised(host);
        let hosts = match host.strip_prefix('*').unwrap_or(&host).strip_prefix('.') {
            _ if host == "*" => Hosts::All,
            Some("") => return None,
            Some(suffix) => Hosts::Below(suffix.to_owned()),
            None => match host.parse::<IpAddr>() {
                Ok(address) => Hosts::Address(plain(address)),
                Err(_) if host.is_empty() => return None,
                Err(_) => Hosts::Domain(host),
            },
        };
        Some(Self { hosts, port })
    }
}

impl Hosts {
    fn hold(&self, host: &str, address: Option<IpAddr>) -> bool {
        let below = |suffix: &str| {
            host.strip_suffix(suffix)
                .is_some_and(|front| front.ends_with('.'))
        };
        match self {
            Self::All => true,
            Self::Domain(domain) => address.is_none() && (host == domain || below(domain)),
            Self::Below(suffix) => address.is_none() && below(suffix),
            Self::Address(only) => address == Some(*only),
            Self::Network(network, bits) => match (network, address) {
                (IpAddr::V4(network), Some(IpAddr::V4(address))) => {
                    let differ = network.to_bits() ^ address.to_bits();
                    differ.checked_shr(32 - bits).unwrap_or(0) == 0
                }
                (IpAddr::V6(network), Some(IpAddr::V6(address))) => {
                    let differ = network.to_bits() ^ address.to_bits();
                    differ.checked_shr(128 - bits).unwrap_or(0) == 0
                }
                _ => false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_form_means_what_it_means_elsewhere() {
        for (list, covered, others) in [
            ("*", &["a.example.com", "10.0.0.1"][..], &[][..]),
            (
                "example.com",
                &["example.com", "a.example.com", "A.B.Example.COM."],
                &["notexample.com", "com"],
            ),
            (
                ".example.com",
                &["a.example.com"],
                &["example.com", "aexample.com"],
            ),
            ("*.example.com", &["a.example.com"], &["example.com"]),
            (
                "10.1.2.3",
                &["10.1.2.3", "::ffff:10.1.2.3"],
                &["10.1.2.4", "host"],
            ),
            ("10.0.0.0/8", &["10.1.2.3"], &["11.0.0.1", "fd00::1"]),
            ("0.0.0.0/0", &["8.8.8.8"], &["::1"]),
            ("fd00::/8", &["fd12::1", "[fd12::1]"], &["fe80::1", "10.0.0.1"]),
            ("[::1]", &["::1", "[::1]"], &["::2"]),
            ("r.example.com:5050", &["r.example.com"], &[]),
            ("[::1]:5050", &["[::1]"], &[]),
            (
                " b.example.com , c.example.com ,",
                &["c.example.com"],
                &["a.example.com"],
            ),
        ] {
            let exceptions = ProxyExceptions::read(list);
            for host in covered {
                assert!(exceptions.cover(host, 5050), "{list} covers {host}");
            }
            for host in others {
                assert!(!exceptions.cover(host, 5050), "{list} does not cover {host}");
            }
        }
        assert!(!ProxyExceptions::read("r.example.com:5050,[::1]:5050").cover("r.example.com", 443));
        for nothing in ["", ",", ".", "10.0.0.0/33", "a:b:c", "host:port"] {
            let exceptions = ProxyExceptions::read(nothing);
            assert!(
                !exceptions.cover("host", 443) && !exceptions.cover("10.0.0.1", 443),
                "{nothing}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_list_panics(list in "[a-z0-9.:/*\\[\\], -]{0,60}", host in "[a-z0-9.:\\[\\]]{0,30}") {
            let _ = ProxyExceptions::read(&list).cover(&host, 443);
        }

        #[test]
        fn a_network_holds_what_shares_its_front(address: u32, bits in 0_u32..=32, other: u32) {
            let network = format!("{}/{bits}", std::net::Ipv4Addr::from_bits(address));
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            let host = std::net::Ipv4Addr::from_bits(other).to_string();
            prop_assert_eq!(ProxyExceptions::read(&network).cover(&host, 1), address & mask == other & mask);
        }
    }
}
