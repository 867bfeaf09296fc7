//! One proxy.

use std::fmt;
use std::str::FromStr;

use ::url::Url;

use crate::secret::Secret;

/// A proxy that is spoken to over plain HTTP; TLS to the host behind it runs inside a tunnel (`CONNECT`).
#[derive(Debug, Clone, PartialEq)]
pub struct ProxyUrl {
    /// Host name or address; IPv6 addresses without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// `user:password` for basic authentication.
    pub login: Option<Secret>,
}

/// A text that names no proxy. Never repeats the text: it may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProxyUrlError {
    /// No URL, or one without a host.
    #[error("not a proxy: expected http://[USER:PASSWORD@]HOST[:PORT]")]
    Form,
    /// Another scheme.
    #[error(
        "a proxy is spoken to over http, TLS to the host runs inside it: expected http://[USER:PASSWORD@]HOST[:PORT]"
    )]
    Scheme,
    /// A login that cannot be sent.
    #[error("its login is not valid text")]
    Login,
}

impl fmt::Display for ProxyUrl {
    /// `HOST:PORT`, never the login.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl FromStr for ProxyUrl {
    type Err = ProxyUrlError;

    /// Without a scheme, `http` is meant.
    fn from_str(text: &str) -> Result<Self, ProxyUrlError> {
        let with_scheme = if text.contains("://") {
            text.to_owned()
        } else {
            format!("http://{text}")
        };
        let url = Url::parse(&with_scheme).map_err(|_| ProxyUrlError::Form)?;
        if url.scheme() != "http" {
            return Err(ProxyUrlError::Scheme);
        }
        let host = url
            .host_str()
            .filter(|host| !host.is_empty())
            .ok_or(ProxyUrlError::Form)?;
        let login = if url.username().is_empty() && url.password().is_none() {
            None
        } else {
            let user = percent_decoded(url.username()).ok_or(ProxyUrlError::Login)?;
            let password = percent_decoded(url.password().unwrap_or_default()).ok_or(ProxyUrlError::Login)?;
            Some(Secret::new(format!("{user}:{password}")))
        };
        Ok(Self {
            host: host.trim_matches(['[', ']']).to_owned(),
            port: url.port().unwrap_or(80),
            login,
        })
    }
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
    use proptest::prelude::*;

    #[test]
    fn logins_are_read_and_never_shown() {
        let read = |text: &str| text.parse::<ProxyUrl>();
        let proxy = read("http://us%40er:p%3Ass@proxy.corp:3128").unwrap();
        assert_eq!(proxy.login.as_ref().unwrap().expose(), "us@er:p:ss");
        assert_eq!(format!("{proxy}"), "proxy.corp:3128");
        assert!(!format!("{proxy:?}").contains("p:ss"));
        assert_eq!(read("proxy").unwrap().port, 80);
        let six = read("http://[::1]:3128").unwrap();
        assert_eq!(
            (six.host.as_str(), six.to_string().as_str()),
            ("::1", "[::1]:3128")
        );
        for (bad, error) in [
            ("https://p", ProxyUrlError::Scheme),
            ("socks5://p", ProxyUrlError::Scheme),
            ("http://", ProxyUrlError::Form),
            ("http://a%0d%0ab@p", ProxyUrlError::Login),
        ] {
            assert_eq!(read(bad), Err(error), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,60}") {
            let _ = text.parse::<ProxyUrl>();
        }
    }
}
