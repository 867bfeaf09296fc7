//! One thing that went wrong.

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Duration;

use http::StatusCode;
use portolan_shared::model::{CredentialKind, DigestMismatch, Flavour};
use portolan_shared::tls::{ChainRefused, TrustError};

use crate::api::ErrorCode;
use crate::auth::CredentialError;
use crate::http::Purpose;

/// One thing that went wrong. No variant holds a body or a header as it came.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The gate refused the host.
    #[error("{host}:{port} may not be contacted as {purpose} (rule {rule})")]
    Policy {
        /// Which host.
        host: String,
        /// Which port.
        port: u16,
        /// What for.
        purpose: Purpose,
        /// Which rule refused.
        rule: Cow<'static, str>,
    },
    /// The host's address is refused.
    #[error("the address {address} may not be connected to (rule {rule})")]
    Address {
        /// Which address.
        address: IpAddr,
        /// Which rule refused.
        rule: Cow<'static, str>,
    },
    /// The requests that are left for today are used up: nothing more is sent.
    #[error("the registry's budget of requests is spent")]
    BudgetSpent,
    /// The host's name does not resolve.
    #[error("the name does not resolve")]
    Unresolved,
    /// The connection was refused.
    #[error("the connection was refused")]
    PortClosed,
    /// Nobody answered the attempt to connect.
    #[error("no answer in time to the attempt to connect")]
    ConnectTimedOut,
    /// No connection, for another reason.
    #[error("{problem}")]
    Unreachable {
        /// In which way.
        problem: &'static str,
    },
    /// The proxy does not let the connection through.
    #[error("the proxy {proxy} {problem}")]
    ProxyRefused {
        /// `HOST:PORT` of the proxy.
        proxy: String,
        /// In which way.
        problem: &'static str,
    },
    /// The proxy itself cannot be reached.
    #[error("the proxy {proxy} cannot be reached")]
    ProxyUnreachable {
        /// `HOST:PORT` of the proxy.
        proxy: String,
    },
    /// The connection ended, or what came over it was not HTTP, before the answer was whole.
    #[error("the answer was cut off or is not HTTP")]
    Interrupted,
    /// The server ended the connection because it was given too much to do (HTTP/2: `ENHANCE_YOUR_CALM`).
    #[error("the server ended the connection because of too many requests")]
    TurnedAway,
    /// No answer, or no progress of one, in time.
    #[error("no progress within {} s", after.as_secs())]
    TimedOut {
        /// How long was waited.
        after: Duration,
    },
    /// Trust could not be set up.
    #[error("trust in the registry could not be set up")]
    Trust(#[from] TrustError),
    /// The certificate was refused.
    #[error(transparent)]
    Chain(Box<ChainRefused>),
    /// The port speaks plain HTTP, the URL says https.
    #[error("plain HTTP answers on this port, not TLS")]
    PlainHttp,
    /// The port speaks TLS, the URL says http.
    #[error("TLS is expected on this port, not plain HTTP")]
    TlsExpected,
    /// The server wants a client certificate, or another one.
    #[error("{problem}")]
    ClientCertificate {
        /// In which way.
        problem: &'static str,
    },
    /// TLS failed otherwise.
    #[error("{problem}")]
    Tls {
        /// In which way.
        problem: &'static str,
    },
    /// A host that the registry sends us to could not be reached, or not be trusted.
    #[error("the {purpose} {host} cannot be reached")]
    Elsewhere {
        /// What the host is for.
        purpose: Purpose,
        /// `HOST:PORT`.
        host: String,
        /// What went wrong there.
        #[source]
        fault: Box<Fault>,
    },
    /// The credential could not be had.
    #[error("the credential could not be resolved")]
    Credential(#[from] CredentialError),
    /// The credential was refused by the registry or its token service.
    #[error("the credential was refused by {host} ({}){}", status.as_u16(), described(code.as_ref()))]
    LoginRefused {
        /// Who refused it.
        host: String,
        /// With which status.
        status: StatusCode,
        /// With which error code.
        code: Option<ErrorCode>,
        /// Whether the refusal was JSON, as products answer themselves; what stands in front of them often answers with something else.
        json: bool,
    },
    /// The credential is of a kind that reads no registry.
    #[error("the credential is of the kind {kind}, which does not read a registry")]
    Unfit {
        /// Of which kind.
        kind: CredentialKind,
    },
    /// This is the address of a product's web interface.
    #[error("this is the address of {product}'s web interface, not of its registry")]
    WebAddress {
        /// Of which product.
        product: Flavour,
        /// Where its registry is, if the product says so.
        registry: Option<String>,
        /// Where it usually is, if the product does not say. Nobody has asked there.
        candidates: Vec<String>,
    },
    /// So many credentials were refused within a day, or so many of one program in a row, that one which may be refused too is not sent.
    #[error("the credential was not sent: so many were refused within a day that no unknown one is risked")]
    LoginHeldBack,
    /// It is known beforehand that the answer would be no.
    #[error("not asked: {why}")]
    NotAsked {
        /// Why it would.
        why: &'static str,
    },
    /// The token service must not be used.
    #[error("the token service at {host} must not be asked: {why}")]
    Realm {
        /// Where the registry says it is.
        host: String,
        /// Why it must not be asked.
        why: &'static str,
    },
    /// The token service answered without a token.
    #[error("{problem}{}", status.map_or_else(String::new, |status| format!(" ({})", status.as_u16())))]
    Token {
        /// In which way.
        problem: &'static str,
        /// With which status, if it was no success.
        status: Option<StatusCode>,
    },
    /// The registry calls a token invalid that its token service gave a moment ago.
    #[error("a token that was issued a moment ago is refused as invalid ({})", status.as_u16())]
    TokenRefused {
        /// With which status.
        status: StatusCode,
    },
    /// No right to it, or none without a login.
    #[error("access denied ({}){}", status.as_u16(), described(code.as_ref()))]
    Denied {
        /// With which status.
        status: StatusCode,
        /// With which error code.
        code: Option<ErrorCode>,
    },
    /// It is not there, or hidden.
    #[error("not found ({}){}", status.as_u16(), described(code.as_ref()))]
    Missing {
        /// With which status.
        status: StatusCode,
        /// With which error code.
        code: Option<ErrorCode>,
    },
    /// The server stayed busy for longer than is waited.
    #[error("the server stayed busy ({})", status.as_u16())]
    RateLimited {
        /// With which status.
        status: StatusCode,
    },
    /// Nothing is left of the server's quota, and for that it has been waited as long as is borne: nothing is sent.
    #[error("nothing is left of the quota at {host}, after {} s of waiting for it", waited.as_secs())]
    QuotaUsedUp {
        /// `HOST:PORT` whose quota it is.
        host: String,
        /// How long was waited for it, over all requests.
        waited: Duration,
    },
    /// The server kept failing.
    #[error("the server kept failing ({})", status.as_u16())]
    Unavailable {
        /// With which status.
        status: StatusCode,
    },
    /// Any other status.
    #[error("the request was refused ({}){}", status.as_u16(), described(code.as_ref()))]
    Rejected {
        /// Which status.
        status: StatusCode,
        /// With which error code.
        code: Option<ErrorCode>,
    },
    /// The registry has it, but was not told that we can read it.
    #[error("the registry says that OCI manifests were not accepted, although every type was offered")]
    AcceptStripped,
    /// The registry no longer serves manifests of this age.
    #[error("it is a manifest of schema 1, which the registry does not serve")]
    Schema1,
    /// A page for people came.
    #[error("a web page came instead of a registry's answer: often a login page or a proxy")]
    WebPage,
    /// The answer is not one of a registry.
    #[error("{problem}")]
    Protocol {
        /// In which way.
        problem: &'static str,
    },
    /// A redirect that is not followed.
    #[error("redirected {why}{}", to.as_ref().map_or(String::new(), |to| format!(" ({to})")))]
    Redirect {
        /// To which host.
        to: Option<String>,
        /// Why it is not followed.
        why: &'static str,
    },
    /// The body, or the headers, are larger than their bound.
    #[error("larger than {bound} bytes")]
    TooLarge {
        /// The bound in bytes.
        bound: usize,
    },
    /// The content is not what its digest says.
    #[error(transparent)]
    Digest(#[from] DigestMismatch),
    /// Our own fault.
    #[error("{problem}")]
    Internal {
        /// In which way.
        problem: &'static str,
    },
}

fn described(code: Option<&ErrorCode>) -> String {
    code.map_or_else(String::new, |code| format!(", {code}"))
}

impl Fault {
    /// Whether the server says that the repository itself is unknown, and not that a page, tag or cursor is.
    pub(crate) fn is_name_unknown(&self) -> bool {
        matches!(self, Self::Missing { code: Some(code), .. } if code.as_str() == "NAME_UNKNOWN")
    }

    /// Whether the same request may succeed a moment later.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::Elsewhere { fault, .. } => fault.may_pass(),
            Self::Unresolved
            | Self::PortClosed
            | Self::ConnectTimedOut
            | Self::Unreachable { .. }
            | Self::ProxyUnreachable { .. }
            | Self::Interrupted
            | Self::TurnedAway
            | Self::TimedOut { .. }
            | Self::RateLimited { .. }
            | Self::QuotaUsedUp { .. }
            | Self::Unavailable { .. } => true,
            _ => false,
        }
    }

    /// Whether no connection came about, or it was cut, or took too long: nobody has said anything yet.
    pub(crate) fn is_of_connection(&self) -> bool {
        matches!(
            self,
            Self::Unresolved
                | Self::PortClosed
                | Self::ConnectTimedOut
                | Self::Unreachable { .. }
                | Self::Interrupted
                | Self::TimedOut { .. }
        )
    }

    /// Whether TLS failed, in whichever way.
    pub(crate) fn is_of_tls(&self) -> bool {
        matches!(
            self,
            Self::Trust(_)
                | Self::Chain(_)
                | Self::PlainHttp
                | Self::TlsExpected
                | Self::ClientCertificate { .. }
                | Self::Tls { .. }
        )
    }

    /// The certificate that was refused, here or elsewhere.
    pub(crate) fn chain(&self) -> Option<&ChainRefused> {
        match self {
            Self::Chain(refused) => Some(refused),
            Self::Elsewhere { fault, .. } => fault.chain(),
            _ => None,
        }
    }

    /// The same, said of a host that the registry sent us to, where it is about getting there.
    pub(crate) fn at(self, purpose: Purpose, host: impl FnOnce() -> String) -> Self {
        if purpose == Purpose::Registry || !(self.is_of_connection() || self.is_of_tls()) {
            return self;
        }
        Self::Elsewhere {
            purpose,
            host: host(),
            fault: Box::new(self),
        }
    }

    /// Of two failures to connect, the one that tells more: one that says no tells more than one that says nothing.
    pub(crate) fn telling(self, other: Self) -> Self {
        match self {
            Self::ConnectTimedOut => other,
            _ => self,
        }
    }
}
