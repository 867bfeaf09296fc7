//! Hosts as the policy file writes them.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use portolan_shared::model::limits;

/// An exact host, or everything below a suffix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostPattern {
    /// This host: a name in lower case, or an address; IPv6 addresses in brackets.
    Exact(String),
    /// `*.suffix`: one label or more in front of the suffix, never the suffix itself.
    Below(String),
}

impl HostPattern {
    /// Whether the host, in lower case, is one of these.
    #[must_use]
    pub fn matches(&self, host: &str) -> bool {
        match self {
            Self::Exact(name) => name == host,
            Self::Below(suffix) => host
                .strip_suffix(suffix.as_str())
                .and_then(|rest| rest.strip_suffix('.'))
                .is_some_and(|label| !label.is_empty()),
        }
    }

    /// Whether it has every host of another pattern.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        match other {
            Self::Exact(name) => self.matches(name),
            Self::Below(suffix) => self == other || !self.is_exact() && self.matches(suffix),
        }
    }

    /// Whether it is one host.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        matches!(self, Self::Exact(_))
    }

    /// Whether it is a loopback address or `localhost`, written literally.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        match self {
            Self::Exact(name) => {
                name == "localhost"
                    || literal(name).is_some_and(|address| address.to_canonical().is_loopback())
            }
            Self::Below(_) => false,
        }
    }
}

/// The address, if the host is written as one.
pub(super) fn literal(host: &str) -> Option<IpAddr> {
    let inner = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    inner.unwrap_or(host).parse().ok()
}

impl FromStr for HostPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let lower = text.trim_end_matches('.').to_ascii_lowercase();
        if let Some(suffix) = lower.strip_prefix("*.") {
            return if is_name(suffix) {
                Ok(Self::Below(suffix.to_owned()))
            } else {
                Err(format!("{text:?} is not a suffix: expected *.example.com"))
            };
        }
        if let Some(IpAddr::V6(address)) = literal(&lower) {
            return Ok(Self::Exact(format!("[{address}]")));
        }
        if is_name(&lower) {
            return Ok(Self::Exact(lower));
        }
        Err(format!(
            "{text:?} is not a host: expected a name, an address, or *.example.com"
        ))
    }
}

fn is_name(text: &str) -> bool {
    text.len() <= limits::HOST_BYTES
        && text.split('.').all(|label| {
            !label.is_empty()
                && label
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        })
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => f.write_str(name),
            Self::Below(suffix) => write!(f, "*.{suffix}"),
        }
    }
}

/// A host pattern with a port; every port if none is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPort {
    /// Which hosts.
    pub host: HostPattern,
    /// Which port.
    pub port: Option<u16>,
}

impl HostPort {
    /// Whether host and port are among these.
    #[must_use]
    pub fn matches(&self, host: &str, port: u16) -> bool {
        self.host.matches(host) && self.port.is_none_or(|only| only == port)
    }
}

impl FromStr for HostPort {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // A bare IPv6 address has colons and no port.
        if text.parse::<IpAddr>().is_ok() {
            return Ok(Self {
                host: text.parse()?,
                port: None,
            });
        }
        match text.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => match port.parse::<u16>() {
                Ok(port) if port > 0 => Ok(Self {
                    host: host.parse()?,
                    port: Some(port),
                }),
                _ => Err(format!("{text:?} has a port that is not between 1 and 65535")),
            },
            _ => Ok(Self {
                host: text.parse()?,
                port: None,
            }),
        }
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.host),
            None => write!(f, "{}", self.host),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn suffixes_match_below_and_never_beside() {
        let below: HostPattern = "*.Example.com".parse().unwrap();
        assert!(below.matches("a.example.com") && below.matches("a.b.example.com"));
        assert!(
            !below.matches("example.com")
                && !below.matches("evilexample.com")
                && !below.matches(".example.com")
        );
        for bad in [
            "*", "*.", "*.*", "a*.b", "", "a b", "http://h", "*.a..b", "-/x", "h/",
        ] {
            assert!(bad.parse::<HostPattern>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn ports_and_addresses_are_told_apart() {
        let read = |text: &str| text.parse::<HostPort>().map(|read| read.to_string());
        assert_eq!(read("H:5000").unwrap(), "h:5000");
        assert_eq!(read("[::1]:5000").unwrap(), "[::1]:5000");
        assert_eq!(read("::1").unwrap(), "[::1]");
        assert_eq!(read("[::1]").unwrap(), "[::1]");
        assert_eq!(read("10.0.0.1").unwrap(), "10.0.0.1");
        assert!(read("h:0").is_err() && read("h:x").is_err() && read("h:70000").is_err());
        assert!("[::1]".parse::<HostPattern>().unwrap().is_loopback());
        assert!("localhost".parse::<HostPattern>().unwrap().is_loopback());
        assert!(!"*.localhost".parse::<HostPattern>().unwrap().is_loopback());
    }

    proptest! {
        #[test]
        fn no_input_panics_and_what_is_read_reads_again(text in "\\PC{0,40}") {
            if let Ok(read) = text.parse::<HostPort>() {
                prop_assert_eq!(read.to_string().parse::<HostPort>().unwrap(), read);
            }
        }
    }
}
