//! Diagnoses: a stable code, what was seen, the likely cause, what to do.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::words::words;
use super::{limits, text};

words! {
    /// How much a finding matters.
    Severity {
        /// Worth knowing.
        Info = "info",
        /// Something could not be seen.
        Warning = "warning",
        /// Nothing could be seen.
        Error = "error",
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $code:literal, $severity:ident, $cause:literal, $cure:literal;)*) => {
        /// The stable codes of findings. A code never changes its meaning and is never reused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum FindingCode { $($(#[$doc])* #[serde(rename = $code)] $variant,)* }

        impl FindingCode {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The code as text.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// How much it matters.
            #[must_use]
            pub fn severity(self) -> Severity {
                match self { $(Self::$variant => Severity::$severity,)* }
            }

            /// The likely cause, in one sentence.
            #[must_use]
            pub fn cause(self) -> &'static str {
                match self { $(Self::$variant => $cause,)* }
            }

            /// What to do about it, in one sentence.
            #[must_use]
            pub fn cure(self) -> &'static str {
                match self { $(Self::$variant => $cure,)* }
            }
        }
    };
}

codes! {
    /// The sensor's policy forbids it.
    PolicyRefused = "policy.refused", Error,
        "The sensor's local policy does not allow this request.",
        "Ask the administrator of the sensor's machine to allow the host in policy.toml.";
    /// A refused network address.
    AddressRefused = "policy.address", Error,
        "The host resolves to an address that is never contacted (link-local, cloud metadata, or loopback without permission).",
        "Check the name's DNS records; allow loopback only by writing the address literally in policy.toml.";
    /// No credential to be had.
    CredentialUnavailable = "credential.unavailable", Error,
        "The credential reference could not be resolved on the sensor.",
        "Check that the file, variable or credential helper exists on the sensor and is readable by its user.";
    /// The name does not resolve.
    NameResolution = "registry.name_resolution", Error,
        "The host name does not resolve on the sensor.",
        "Check the spelling and the sensor's DNS.";
    /// No TCP connection.
    Unreachable = "registry.unreachable", Error,
        "No connection to the registry could be made.",
        "Check host, port and firewall between sensor and registry.";
    /// The certificate is not trusted.
    TlsUntrusted = "registry.tls_untrusted", Error,
        "The registry's certificate comes from an authority that the sensor does not trust.",
        "Give the missing CA with --ca-file, or add it to the sensor's system store.";
    /// Expired, not yet valid, wrong name.
    TlsInvalid = "registry.tls_invalid", Error,
        "The registry's certificate is not valid for this host or this time.",
        "Renew the certificate, use the name it is made for, or correct the sensor's clock.";
    /// TLS failed otherwise.
    TlsFailed = "registry.tls_failed", Error,
        "The TLS handshake failed: often plain HTTP on this port, or no common version.",
        "Check that the URL's scheme and port are those of the registry.";
    /// Wrong login.
    AuthenticationFailed = "registry.authentication", Error,
        "The registry or its token service refused the credential.",
        "Check user name and secret, and that the secret has not expired.";
    /// The realm is elsewhere.
    RealmRefused = "registry.realm_refused", Error,
        "The registry names a token service that the credential must not be sent to.",
        "If the token service is genuine, allow its host in the sensor's policy.toml as a realm of this registry.";
    /// No right to it.
    Denied = "registry.denied", Warning,
        "The credential is valid but has no right to this.",
        "Grant the credential read access, or leave the repository out by a glob.";
    /// Throttled.
    RateLimited = "registry.rate_limited", Warning,
        "The registry kept answering that there were too many requests.",
        "Lower the registry's concurrency, or raise its limits for this credential.";
    /// 5xx for good.
    Unavailable = "registry.unavailable", Warning,
        "The registry kept answering with a server error.",
        "Look at the registry's own log and health.";
    /// It is not a registry API.
    Protocol = "registry.protocol", Error,
        "The answer is not that of a registry's API.",
        "Check that the URL is that of the registry, not of a web page or a proxy's login.";
    /// Redirect not followed.
    RedirectRefused = "registry.redirect_refused", Warning,
        "The registry redirected to a place that must not be contacted.",
        "If the storage host is genuine, allow it in the sensor's policy.toml.";
    /// A body above its bound.
    TooLarge = "registry.too_large", Warning,
        "An answer was larger than its bound.",
        "Nothing to do unless the repository is meant to be like this.";
    /// The catalog may not be read.
    CatalogDenied = "discovery.catalog_denied", Error,
        "The credential may not list the registry's catalog.",
        "Use a credential that may, or name the repositories with --repository.";
    /// There is no catalog.
    CatalogUnsupported = "discovery.catalog_unsupported", Error,
        "The registry has no catalog API.",
        "Name the repositories with --repository.";
    /// The catalog ended early.
    ListingIncomplete = "discovery.incomplete", Warning,
        "A listing ended before its end: a page failed, looped, or a bound was reached.",
        "Run again; if it persists, look at the registry's paging and proxies.";
    /// Names outside the grammar.
    NameMalformed = "discovery.name_malformed", Warning,
        "The registry listed names that no request can be made for.",
        "Rename them in the registry if they matter.";
    /// Hidden or gone.
    RepositoryMissing = "repository.missing", Warning,
        "The registry does not know the repository, or hides it from this credential.",
        "Check the spelling and the credential's rights.";
    /// More tags than fit.
    RepositoryTruncated = "repository.truncated", Warning,
        "The repository has more tags than are kept.",
        "Clean the repository up, or split it.";
    /// Content does not match its digest.
    DigestMismatch = "manifest.digest_mismatch", Warning,
        "The registry served content that does not hash to its digest; it was refused.",
        "Check the registry's storage and any proxy in between: content was altered or corrupted.";
    /// A manifest above the bound.
    ManifestTooLarge = "manifest.too_large", Info,
        "The manifest is larger than the bound; digest and size are kept, its content is not.",
        "Nothing to do unless the manifest is meant to be like this.";
    /// A manifest nobody can read.
    ManifestMalformed = "manifest.malformed", Warning,
        "The manifest is not one that the specifications allow.",
        "Push the image again with a current tool.";
    /// A child that is not there.
    ManifestChildMissing = "manifest.child_missing", Info,
        "An index names a manifest that the registry does not have.",
        "Nothing to do for a sparse mirror; otherwise push the missing platform again.";
    /// A tag that resolves to nothing.
    ManifestMissing = "manifest.missing", Warning,
        "A tag is listed but its manifest is gone.",
        "Delete the tag, or push the image again.";
    /// Nesting beyond the bound.
    ManifestTooDeep = "manifest.too_deep", Info,
        "Indexes are nested deeper than is read.",
        "Nothing to do unless the index is meant to be like this.";
    /// A config that cannot be read.
    ConfigUnreadable = "config.unreadable", Warning,
        "The image's config could not be fetched or is not an image config.",
        "Check that blobs can be read, including redirects to storage hosts.";
    /// Our own fault or the machine's.
    Internal = "agent.internal", Error,
        "The sensor could not go on for a reason of its own.",
        "Look at the sensor's log around this time.";
}

impl fmt::Display for FindingCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for FindingCode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .iter()
            .copied()
            .find(|code| code.as_str() == text)
            .ok_or_else(|| "unknown finding code".to_owned())
    }
}

/// One diagnosis.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What it is.
    pub code: FindingCode,
    /// What was seen, in one line: printable, at most [`limits::FINDING_BYTES`] bytes, never a secret, never a body or header as it came.
    pub seen: String,
    /// More of what was seen, in several lines, such as a served certificate chain: printable, at most
    /// [`limits::FINDING_DETAIL_BYTES`] bytes, with the same exclusions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl Finding {
    /// A finding; `seen` is made printable and cut to its bound.
    #[must_use]
    pub fn new(code: FindingCode, seen: &str) -> Self {
        Self {
            code,
            seen: text::printable(seen, limits::FINDING_BYTES),
            detail: None,
        }
    }

    /// The same, with more lines; each is made printable, all together are cut to their bound.
    #[must_use]
    pub fn with_detail(self, detail: &str) -> Self {
        let lines: Vec<String> = detail
            .lines()
            .map(|line| text::printable(line, limits::FINDING_DETAIL_BYTES))
            .collect();
        let lines = lines.join("\n");
        let (cut, _) = text::truncated(&lines, limits::FINDING_DETAIL_BYTES);
        Self {
            detail: Some(cut.to_owned()).filter(|detail| !detail.is_empty()),
            ..self
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.seen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_distinct_and_findings_bounded() {
        for code in FindingCode::ALL {
            assert_eq!(code.as_str().parse::<FindingCode>(), Ok(*code));
            assert!(
                code.cause().ends_with('.') && code.cure().ends_with('.'),
                "{code}"
            );
        }
        assert_eq!(
            Finding::new(FindingCode::Protocol, &"x".repeat(1000)).seen.len(),
            limits::FINDING_BYTES
        );
        let finding = Finding::new(FindingCode::TlsUntrusted, "x").with_detail(&"line\x1b\n".repeat(2_000));
        let detail = finding.detail.unwrap();
        assert!(
            detail.len() <= limits::FINDING_DETAIL_BYTES && detail.starts_with("line \nline"),
            "{}",
            detail.len()
        );
    }
}
