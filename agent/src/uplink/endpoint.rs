//! Where the control plane listens.

use std::fmt;
use std::str::FromStr;

use portolan_shared::process::Rng;
use url::Url;

/// One address of the control plane: `https://host[:port]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Host name or address; IPv6 addresses without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
}

impl Endpoint {
    /// Hosts and ports of these texts; those that are no addresses are left out.
    #[must_use]
    pub fn places(texts: &[String]) -> Vec<(String, u16)> {
        let read = texts.iter().filter_map(|text| text.parse::<Self>().ok());
        read.map(|endpoint| (endpoint.host, endpoint.port)).collect()
    }
}

impl FromStr for Endpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|_| "not a URL".to_owned())?;
        let plain = url.scheme() == "https"
            && url.path() == "/"
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none();
        match url.host_str().filter(|_| plain) {
            Some(host) => Ok(Self {
                host: host.trim_matches(['[', ']']).to_owned(),
                port: url.port().unwrap_or(443),
            }),
            None => Err("expected https://host[:port]".to_owned()),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// The control plane's addresses, in an order that is drawn once, so that sensors spread over them.
#[derive(Debug, Clone)]
pub(super) struct Endpoints {
    list: Vec<Endpoint>,
    at: usize,
}

impl Endpoints {
    /// Reads and shuffles; those that are not addresses are left out. None if none is left.
    #[must_use]
    pub(super) fn new(texts: &[String], rng: &dyn Rng) -> Option<Self> {
        let mut list: Vec<Endpoint> = texts.iter().filter_map(|text| text.parse().ok()).collect();
        for last in (1..list.len()).rev() {
            let mut byte = [0];
            rng.fill(&mut byte);
            list.swap(last, usize::from(byte[0]) % (last + 1));
        }
        (!list.is_empty()).then_some(Self { list, at: 0 })
    }

    /// The one to use now.
    #[must_use]
    pub(super) fn current(&self) -> &Endpoint {
        &self.list[self.at]
    }

    /// Moves on after a failed connection.
    pub(super) fn advance(&mut self) {
        self.at = (self.at + 1) % self.list.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use portolan_shared::process::SeededRng;

    #[test]
    fn endpoints_are_read_shuffled_and_taken_in_turn() {
        let texts: Vec<String> = [
            "https://a:1",
            "https://b",
            "https://[::1]:2",
            "http://no",
            "https://h/path",
        ]
        .map(str::to_owned)
        .to_vec();
        let mut endpoints = Endpoints::new(&texts, &SeededRng::new(3)).unwrap();
        let mut seen: Vec<String> = (0..3)
            .map(|_| {
                let now = endpoints.current().to_string();
                endpoints.advance();
                now
            })
            .collect();
        seen.sort();
        assert_eq!(seen, ["[::1]:2", "a:1", "b:443"]);
        assert!(Endpoints::new(&texts[3..], &SeededRng::new(3)).is_none());
    }
}
