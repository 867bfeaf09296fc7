//! Which proxy for which host.

use std::net::IpAddr;

use super::exceptions::ProxyExceptions;
use super::url::{ProxyUrl, ProxyUrlError};

/// Which proxy for which host: none by default.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ProxyRules {
    /// The proxy for hosts that are spoken to over TLS.
    pub https: Option<ProxyUrl>,
    /// The proxy for hosts that are spoken to in clear.
    pub http: Option<ProxyUrl>,
    /// Hosts that are reached without.
    pub except: ProxyExceptions,
}

/// A variable that names no proxy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{variable} cannot be used")]
pub struct ProxyRulesError {
    /// Which variable.
    pub variable: &'static str,
    /// Why not.
    #[source]
    pub problem: ProxyUrlError,
}

impl ProxyRules {
    /// Reads `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`, or their twins in lower case where those are not set. An empty variable is one
    /// that is not set.
    pub fn of_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Self, ProxyRulesError> {
        let either = |upper: &'static str, lower: &'static str| {
            [upper, lower]
                .into_iter()
                .find_map(|name| Some((name, variable(name).filter(|text| !text.trim().is_empty())?)))
        };
        let proxy = |upper, lower| {
            either(upper, lower)
                .map(|(variable, text)| {
                    let parsed = text.trim().parse();
                    parsed.map_err(|problem| ProxyRulesError { variable, problem })
                })
                .transpose()
        };
        Ok(Self {
            https: proxy("HTTPS_PROXY", "https_proxy")?,
            http: proxy("HTTP_PROXY", "http_proxy")?,
            except: either("NO_PROXY", "no_proxy")
                .map(|(_, list)| ProxyExceptions::read(&list))
                .unwrap_or_default(),
        })
    }

    /// The proxy for a host; none for this machine itself, whatever the rules are.
    #[must_use]
    pub fn proxy_for(&self, https: bool, host: &str, port: u16) -> Option<&ProxyUrl> {
        let proxy = if https { &self.https } else { &self.http };
        proxy
            .as_ref()
            .filter(|_| !is_this_machine(host) && !self.except.cover(host, port))
    }
}

fn is_this_machine(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']).trim_end_matches('.');
    host.eq_ignore_ascii_case("localhost")
        || host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(variables: &[(&str, &str)]) -> Result<ProxyRules, ProxyRulesError> {
        ProxyRules::of_variables(|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn variables_are_read_as_usual() {
        let rules = rules(&[
            ("HTTPS_PROXY", "http://u:p@secure:3128"),
            ("https_proxy", "other"),
            ("HTTP_PROXY", ""),
            ("http_proxy", "plain:8080"),
            ("no_proxy", ".corp,10.0.0.0/8"),
        ])
        .unwrap();
        let proxy = |https, host| rules.proxy_for(https, host, 443).map(ToString::to_string);
        assert_eq!(proxy(true, "r.example.com").as_deref(), Some("secure:3128"));
        assert_eq!(proxy(false, "r.example.com").as_deref(), Some("plain:8080"));
        for host in [
            "r.corp",
            "10.1.1.1",
            "localhost",
            "127.0.0.9",
            "[::1]",
            "::ffff:127.0.0.1",
        ] {
            assert_eq!(proxy(true, host), None, "{host}");
        }
        assert_eq!(ProxyRules::default().proxy_for(true, "r.example.com", 443), None);
    }

    #[test]
    fn a_variable_that_is_no_proxy_is_named_and_not_repeated() {
        let error = rules(&[("https_proxy", "socks5://user:hidden@p")]).unwrap_err();
        assert_eq!(error.variable, "https_proxy");
        assert!(!format!("{error} {error:?}").contains("hidden"));
    }
}
