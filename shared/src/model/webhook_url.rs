//! Where a webhook's messages go.

use std::fmt;
use std::str::FromStr;

use url::Url;

use super::limits;

/// The URL of an endpoint that is told of changes. It may itself be the secret by which the endpoint knows us, as those of chat services
/// are: `Display` and `Debug` show where it leads and nothing behind that.
///
/// That it is well formed says nothing about whether it may be contacted.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookUrl(Url);

/// Why a text is no URL of a webhook. Never carries the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WebhookUrlError {
    /// It cannot be read, or is of another scheme.
    #[error("expected a URL such as https://hooks.example.com/portolan")]
    Form,
    /// It is too long.
    #[error("longer than {} bytes", limits::WEBHOOK_URL_BYTES)]
    TooLong,
    /// It holds a login.
    #[error(
        "it holds a user or a password: messages are signed instead; what must be in the URL goes into its path or query"
    )]
    Login,
    /// It holds what is never sent.
    #[error("it holds a fragment (what follows the #), which is never sent")]
    Fragment,
}

impl WebhookUrl {
    /// The URL as it is asked for. Every use of this is a place to look at in a review.
    #[must_use]
    pub fn expose(&self) -> &Url {
        &self.0
    }

    /// Whether messages go over TLS.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// The host, as it is resolved: in lower case, an address in the one form that it has, in brackets if of IPv6.
    #[must_use]
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.0.port_or_known_default().unwrap_or(443)
    }
}

impl FromStr for WebhookUrl {
    type Err = WebhookUrlError;

    fn from_str(text: &str) -> Result<Self, WebhookUrlError> {
        if text.len() > limits::WEBHOOK_URL_BYTES {
            return Err(WebhookUrlError::TooLong);
        }
        let url = Url::parse(text).map_err(|_| WebhookUrlError::Form)?;
        let has_host = url.host_str().is_some_and(|host| !host.is_empty());
        if !matches!(url.scheme(), "https" | "http") || !has_host || url.port() == Some(0) {
            return Err(WebhookUrlError::Form);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(WebhookUrlError::Login);
        }
        if url.fragment().is_some() {
            return Err(WebhookUrlError::Fragment);
        }
        // What is normalised can be longer than what was written.
        if url.as_str().len() > limits::WEBHOOK_URL_BYTES {
            return Err(WebhookUrlError::TooLong);
        }
        Ok(Self(url))
    }
}

impl fmt::Display for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.0.scheme(), self.host())?;
        if let Some(port) = self.0.port() {
            write!(f, ":{port}")?;
        }
        let bare = self.0.path() == "/" && self.0.query().is_none();
        f.write_str(if bare { "/" } else { "/…" })
    }
}

impl fmt::Debug for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nothing_behind_the_host_is_shown() {
        for (url, shown) in [
            (
                "https://hooks.example.com/services/T0/B0/hunter2?k=hunter2",
                "https://hooks.example.com/…",
            ),
            (
                "https://hooks.example.com:8443?hunter2",
                "https://hooks.example.com:8443/…",
            ),
            ("HTTPS://Hooks.Example.COM", "https://hooks.example.com/"),
            ("http://0x7f.1/x", "http://127.0.0.1/…"),
        ] {
            let url: WebhookUrl = url.parse().unwrap();
            assert_eq!(
                (url.to_string(), format!("{url:?}")),
                (shown.to_owned(), shown.to_owned())
            );
        }
    }

    #[test]
    fn logins_fragments_and_other_schemes_are_refused_without_repeating_them() {
        use WebhookUrlError as E;
        let long = format!("https://h/{}", "x".repeat(limits::WEBHOOK_URL_BYTES));
        let widened = format!("https://h/{}", "ü".repeat(limits::WEBHOOK_URL_BYTES / 3));
        for (bad, why) in [
            ("", E::Form),
            ("hunter2", E::Form),
            ("ftp://h/", E::Form),
            ("https://", E::Form),
            ("https://h:0/", E::Form),
            ("file:///etc/passwd", E::Form),
            ("https://hunter2@h/", E::Login),
            ("https://u:hunter2@h/", E::Login),
            ("https://:hunter2@h/", E::Login),
            ("https://h/#hunter2", E::Fragment),
            (&long, E::TooLong),
            (&widened, E::TooLong),
        ] {
            assert_eq!(bad.parse::<WebhookUrl>(), Err(why), "{bad}");
            assert!(!why.to_string().contains("hunter2"));
        }
        let most = format!(
            "https://h/{}",
            "x".repeat(limits::WEBHOOK_URL_BYTES - "https://h/".len())
        );
        assert!(most.parse::<WebhookUrl>().is_ok());
    }

    proptest! {
        #[test]
        fn what_is_read_is_read_again_and_no_text_is_a_panic(text in "(https?://)?\\PC{0,60}") {
            if let Ok(url) = text.parse::<WebhookUrl>() {
                prop_assert_eq!(url.expose().as_str().parse::<WebhookUrl>(), Ok(url));
            }
        }
    }
}
