//! A connection to one registry: where it is, whom to trust, what to read, with which credential.

use std::fmt;
use std::num::{NonZeroU16, NonZeroU32};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::credential_reference::CredentialReference;
use super::ids::RegistryId;
use super::patterns::RepositoryPatterns;
use super::tag_filter::TagFilter;
use super::{limits, text};

/// Base address of a registry: scheme, host, port and an optional path prefix in front of `/v2/`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RegistryUrl {
    https: bool,
    host: String,
    port: u16,
    prefix: String,
}

/// A text that is not the base address of a registry. Never carries the text: user information in a URL is a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegistryUrlError {
    /// No URL at all.
    #[error("not a URL: expected https://HOST[:PORT][/PREFIX]")]
    Syntax,
    /// Neither http nor https.
    #[error("scheme {0:?} is not supported: expected https (or http where the sensor's policy allows it)")]
    Scheme(String),
    /// User name or password in the URL.
    #[error("a user name or password must not stand in the URL: use a credential reference")]
    UserInformation,
    /// A query or a fragment.
    #[error("a registry URL has neither query nor fragment")]
    Query,
    /// Host missing or too long.
    #[error("host is missing or longer than {} bytes", limits::HOST_BYTES)]
    Host,
    /// Path too long.
    #[error(
        "the path in front of /v2/ is longer than {} bytes",
        limits::REGISTRY_PATH_BYTES
    )]
    Path,
}

impl RegistryUrl {
    /// Whether the registry is spoken to over TLS.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.https
    }

    /// Host name or address, in lower case; IPv6 addresses in brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Port, the scheme's default if none was given.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Path in front of `/v2/`, without a slash at its end; mostly empty. At most [`limits::REGISTRY_PATH_BYTES`].
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// `HOST:PORT`, always with the port.
    #[must_use]
    pub fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// `HOST` or `HOST:PORT`, as it stands in front of an image reference.
    #[must_use]
    pub fn reference_host(&self) -> String {
        if self.port == default_port(self.https) {
            self.host.clone()
        } else {
            self.authority()
        }
    }
}

fn default_port(https: bool) -> u16 {
    if https { 443 } else { 80 }
}

impl FromStr for RegistryUrl {
    type Err = RegistryUrlError;

    /// A missing scheme means https; `/v2` and slashes at the end are dropped.
    fn from_str(text: &str) -> Result<Self, RegistryUrlError> {
        let with_scheme = if text.contains("://") {
            text.to_owned()
        } else {
            format!("https://{text}")
        };
        let url = url::Url::parse(with_scheme.trim()).map_err(|_| RegistryUrlError::Syntax)?;
        let https = match url.scheme() {
            "https" => true,
            "http" => false,
            other => return Err(RegistryUrlError::Scheme(text::printable(other, 32))),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(RegistryUrlError::UserInformation);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(RegistryUrlError::Query);
        }
        let host = url
            .host_str()
            .ok_or(RegistryUrlError::Host)?
            .trim_end_matches('.')
            .to_ascii_lowercase();
        if host.is_empty() || host.len() > limits::HOST_BYTES {
            return Err(RegistryUrlError::Host);
        }
        // As often as it is there: what is shown must read as the same again.
        let mut prefix = url.path().trim_end_matches('/');
        while let Some(rest) = prefix.strip_suffix("/v2") {
            prefix = rest.trim_end_matches('/');
        }
        if prefix.len() > limits::REGISTRY_PATH_BYTES {
            return Err(RegistryUrlError::Path);
        }
        let prefix = prefix.to_owned();
        let port = url.port().unwrap_or(default_port(https));
        Ok(Self {
            https,
            host,
            port,
            prefix,
        })
    }
}

impl fmt::Display for RegistryUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.https { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.reference_host(), self.prefix)
    }
}

impl Serialize for RegistryUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RegistryUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Which certificate authorities a registry's certificate may come from. There is no way to trust without verifying.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CaTrust {
    /// PEM certificates given for this registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle_pem: Option<String>,
    /// Trust only `bundle_pem`, not the system's store.
    #[serde(default)]
    pub only_bundle: bool,
}

/// How hard a registry may be worked. The sensor's local policy can only lower it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// Requests in flight at most; the sensor adapts below it.
    pub concurrency: u16,
    /// Requests begun per second at most, token requests and redirects included; not bounded if none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_second: Option<NonZeroU16>,
    /// Requests within any 24 hours at most, all sensors together; not bounded if none. A run that has used them up ends as partial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_day: Option<NonZeroU32>,
}

impl Budget {
    /// Most requests in flight that can be asked for.
    pub const MAX_CONCURRENCY: u16 = 64;
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            concurrency: 16,
            per_second: None,
            per_day: None,
        }
    }
}

/// Everything a sensor needs to know to read a registry.
#[derive(Debug, Clone, PartialEq)]
pub struct RegistryTarget {
    /// Which connection this is.
    pub registry: RegistryId,
    /// Where.
    pub url: RegistryUrl,
    /// Whose certificates.
    pub ca: CaTrust,
    /// Which repositories.
    pub repositories: RepositoryPatterns,
    /// With which login; anonymous if none.
    pub credential: Option<CredentialReference>,
    /// Which of their tags.
    pub tags: TagFilter,
    /// How hard.
    pub budget: Budget,
    /// Requests that are left of [`Budget::per_day`] for this job; not bounded if none.
    pub requests_left: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn urls_are_normalised() {
        let read = |text: &str| text.parse::<RegistryUrl>().map(|url| url.to_string());
        assert_eq!(
            read("Registry.Example.com").unwrap(),
            "https://registry.example.com"
        );
        assert_eq!(
            read("https://gitlab.example.com:5050/").unwrap(),
            "https://gitlab.example.com:5050"
        );
        assert_eq!(
            read("gitlab.example.com:5050").unwrap(),
            "https://gitlab.example.com:5050"
        );
        assert_eq!(
            read("https://h/artifactory/api/docker/r/v2/").unwrap(),
            "https://h/artifactory/api/docker/r"
        );
        assert_eq!(read("https://h/v2/v2").unwrap(), "https://h");
        assert_eq!(read("https://h/a/v2//v2/").unwrap(), "https://h/a");
        assert_eq!(read("http://127.0.0.1:5000").unwrap(), "http://127.0.0.1:5000");
        assert_eq!(read("https://[::1]:5000").unwrap(), "https://[::1]:5000");
        assert_eq!(read("https://h:443").unwrap(), "https://h");
        assert_eq!(
            read("https://user:pass@h").unwrap_err(),
            RegistryUrlError::UserInformation
        );
        assert_eq!(
            read("ftp://h").unwrap_err(),
            RegistryUrlError::Scheme("ftp".into())
        );
        assert_eq!(read("https://h?x=1").unwrap_err(), RegistryUrlError::Query);
        assert!(read("https://").is_err());
    }

    #[test]
    fn a_path_is_as_long_as_the_bound_and_no_longer() {
        let read = |path: &str| format!("https://h/{path}").parse::<RegistryUrl>();
        let longest = "a".repeat(limits::REGISTRY_PATH_BYTES - 1);
        let url = read(&longest).unwrap();
        assert_eq!(url.prefix().len(), limits::REGISTRY_PATH_BYTES);
        assert_eq!(
            read(&format!("{longest}/v2/")).unwrap(),
            url,
            "what is dropped counts not"
        );
        let refused = read(&format!("{longest}a")).unwrap_err();
        assert_eq!(refused, RegistryUrlError::Path);
        assert!(refused.to_string().contains("1024 bytes"), "{refused}");
        // As it is written: each of these takes three bytes.
        assert_eq!(
            read(&" x".repeat(limits::REGISTRY_PATH_BYTES / 3)).unwrap_err(),
            RegistryUrlError::Path
        );
    }

    proptest! {
        #[test]
        fn no_input_panics(text in "\\PC{0,80}") {
            if let Ok(url) = text.parse::<RegistryUrl>() {
                prop_assert_eq!(url.to_string().parse::<RegistryUrl>().unwrap(), url);
            }
        }

        #[test]
        fn a_url_with_a_path_reads_back_as_itself(path in "(/|/v2|/v1|/[a-z0-9._~%-]{0,3}){0,6}") {
            let url: RegistryUrl = format!("https://h:5000{path}").parse().unwrap();
            prop_assert!(!url.prefix().ends_with("/v2") && !url.prefix().ends_with('/'));
            prop_assert_eq!(url.to_string().parse::<RegistryUrl>().unwrap(), url);
        }
    }
}
