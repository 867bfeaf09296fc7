//! The proxy on the way to the control plane. Traffic to registries never uses it.

use std::fmt;

use portolan_shared::secret::Secret;
use url::Url;

use super::source::{Found, Source};

/// A proxy that is spoken to by `CONNECT`.
#[derive(Debug, Clone)]
pub struct ProxyUrl {
    /// Host name or address; IPv6 addresses without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// `user:password` for basic authentication.
    pub login: Option<Secret>,
}

impl fmt::Display for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Which proxy, and for which hosts not.
#[derive(Debug, Clone, Default)]
pub struct ProxySettings {
    /// The proxy, if there is one.
    pub proxy: Option<ProxyUrl>,
    /// Hosts that are reached without it: names, `.suffix`, or `*`.
    pub except: Vec<String>,
}

impl ProxySettings {
    /// The proxy for a host of the control plane.
    #[must_use]
    pub fn for_host(&self, host: &str) -> Option<&ProxyUrl> {
        let host = host.to_ascii_lowercase();
        let excepted = self.except.iter().any(|name| {
            let name = name.trim_start_matches('.');
            name == "*" || host == name || host.strip_suffix(name).is_some_and(|rest| rest.ends_with('.'))
        });
        self.proxy.as_ref().filter(|_| !excepted)
    }

    /// Our own setting wins and applies to every host; `none` turns proxies off. Without it, `HTTPS_PROXY` and `NO_PROXY` as usual.
    pub(super) fn read(source: &mut Source<'_>, ours: Option<Found>) -> Self {
        if let Some(found) = ours {
            let proxy = if found.text == "none" {
                None
            } else {
                source.read(Some(found), parse)
            };
            return Self {
                proxy,
                except: Vec::new(),
            };
        }
        let usual = source
            .variable("HTTPS_PROXY")
            .or_else(|| source.variable("https_proxy"));
        let except = source
            .variable("NO_PROXY")
            .or_else(|| source.variable("no_proxy"));
        Self {
            proxy: source.read(usual, parse),
            except: except
                .map(|found| {
                    found
                        .text
                        .split(',')
                        .map(|name| name.trim().to_ascii_lowercase())
                        .filter(|name| !name.is_empty())
                        .collect()
                })
                .unwrap_or_default(),
        }
    }
}

/// The text is never repeated in an error: it may hold a password.
fn parse(text: &str) -> Result<ProxyUrl, String> {
    const EXPECTED: &str = "expected http://[USER:PASSWORD@]HOST[:PORT]";
    let with_scheme = if text.contains("://") {
        text.to_owned()
    } else {
        format!("http://{text}")
    };
    let url = Url::parse(&with_scheme).map_err(|_| format!("not a proxy: {EXPECTED}"))?;
    if url.scheme() != "http" {
        return Err(format!(
            "a proxy is spoken to over http, TLS to the control plane runs inside it: {EXPECTED}"
        ));
    }
    let host = url.host_str().ok_or_else(|| format!("not a proxy: {EXPECTED}"))?;
    let decoded = |text: &str| percent_decoded(text).ok_or_else(|| "its login is not valid text".to_owned());
    let login = if url.username().is_empty() && url.password().is_none() {
        None
    } else {
        let (user, password) = (
            decoded(url.username())?,
            decoded(url.password().unwrap_or_default())?,
        );
        Some(Secret::new(format!("{user}:{password}")))
    };
    Ok(ProxyUrl {
        host: host.trim_matches(['[', ']']).to_owned(),
        port: url.port().unwrap_or(80),
        login,
    })
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, tail)) = rest.split_first() {
        rest = tail;
        if *byte == b'%' {
            let (hex, tail) = rest.split_at_checked(2)?;
            bytes.push(u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()?);
            rest = tail;
        } else {
            bytes.push(*byte);
        }
    }
    String::from_utf8(bytes)
        .ok()
        .filter(|text| !text.chars().any(char::is_control))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins_are_read_and_never_shown() {
        let proxy = parse("http://us%40er:p%3Ass@proxy.corp:3128").unwrap();
        assert_eq!(proxy.login.as_ref().unwrap().expose(), "us@er:p:ss");
        assert_eq!(format!("{proxy}"), "proxy.corp:3128");
        assert!(!format!("{proxy:?}").contains("p:ss"));
        assert_eq!(parse("proxy").unwrap().port, 80);
        assert_eq!(parse("http://[::1]:3128").unwrap().host, "::1");
        for bad in ["https://p", "socks5://p", "http://", "http://a%0d%0ab@p"] {
            let error = parse(bad).unwrap_err();
            assert!(!error.contains("%0d"), "{error}");
        }
    }

    #[test]
    fn hosts_can_be_excepted() {
        let settings = ProxySettings {
            proxy: Some(parse("proxy").unwrap()),
            except: vec![".corp".into(), "h.example.com".into()],
        };
        assert!(settings.for_host("a.Corp").is_none() && settings.for_host("h.example.com").is_none());
        assert!(settings.for_host("acorp").is_some() && settings.for_host("example.com").is_some());
    }
}
