//! What can go wrong while reading a registry: a fault, where it happened, and the finding that it makes.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use http::StatusCode;
use portolan_shared::model::{Digest, DigestMismatch, Finding, FindingCode, RepositoryName};
use portolan_shared::tls::{ChainProblem, ChainRefused, TrustError};

use crate::api::ErrorCode;
use crate::auth::CredentialError;
use crate::http::Purpose;

/// What was being read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// The API's root, `/v2/`.
    Api,
    /// The catalog of repositories.
    Catalog,
    /// A repository's tags.
    Tags(RepositoryName),
    /// A manifest, by tag or digest.
    Manifest(RepositoryName, String),
    /// A blob.
    Blob(RepositoryName, Digest),
    /// What refers to a digest.
    Referrers(RepositoryName, Digest),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Api => f.write_str("the API root"),
            Self::Catalog => f.write_str("the catalog"),
            Self::Tags(repository) => write!(f, "the tags of {repository}"),
            Self::Manifest(repository, reference) => write!(f, "manifest {reference} of {repository}"),
            Self::Blob(repository, digest) => write!(f, "blob {digest} of {repository}"),
            Self::Referrers(repository, digest) => write!(f, "the referrers of {digest} in {repository}"),
        }
    }
}

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
    /// The host's name does not resolve.
    #[error("the name does not resolve")]
    Unresolved,
    /// No connection.
    #[error("{problem}")]
    Unreachable {
        /// In which way.
        problem: &'static str,
    },
    /// The connection ended, or what came over it was not HTTP, before the answer was whole.
    #[error("the answer was cut off or is not HTTP")]
    Interrupted,
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
    /// TLS failed otherwise.
    #[error("{problem}")]
    Tls {
        /// In which way.
        problem: &'static str,
    },
    /// The credential could not be had.
    #[error("the credential could not be resolved")]
    Credential(#[from] CredentialError),
    /// The credential was refused by the registry or its token service.
    #[error("the credential was refused by {host} ({})", status.as_u16())]
    LoginRefused {
        /// Who refused it.
        host: String,
        /// With which status.
        status: StatusCode,
    },
    /// The token service must not be used.
    #[error("the token service at {host} must not be asked: {why}")]
    Realm {
        /// Where the registry says it is.
        host: String,
        /// Why it must not be asked.
        why: &'static str,
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
    /// The body is larger than its bound.
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
        matches!(
            self,
            Self::Unresolved
                | Self::Unreachable { .. }
                | Self::Interrupted
                | Self::TimedOut { .. }
                | Self::RateLimited { .. }
                | Self::Unavailable { .. }
        )
    }

    fn code(&self, subject: &Subject) -> FindingCode {
        match self {
            Self::Policy {
                purpose: Purpose::Storage,
                ..
            }
            | Self::Redirect { .. } => FindingCode::RedirectRefused,
            Self::Policy { .. } => FindingCode::PolicyRefused,
            Self::Address { .. } => FindingCode::AddressRefused,
            Self::Unresolved => FindingCode::NameResolution,
            Self::Unreachable { .. } | Self::Interrupted | Self::TimedOut { .. } => FindingCode::Unreachable,
            Self::Trust(_) => FindingCode::TlsFailed,
            Self::Chain(refused) => match refused.problem {
                ChainProblem::Untrusted => FindingCode::TlsUntrusted,
                ChainProblem::Expired
                | ChainProblem::NotYetValid
                | ChainProblem::WrongName
                | ChainProblem::Invalid => FindingCode::TlsInvalid,
            },
            Self::Tls { .. } => FindingCode::TlsFailed,
            Self::Credential(_) => FindingCode::CredentialUnavailable,
            Self::LoginRefused { .. } => FindingCode::AuthenticationFailed,
            Self::Realm { .. } => FindingCode::RealmRefused,
            Self::Denied { .. } if *subject == Subject::Catalog => FindingCode::CatalogDenied,
            Self::Denied { .. } => FindingCode::Denied,
            Self::Missing { .. } => match subject {
                Subject::Api => FindingCode::Protocol,
                Subject::Catalog => FindingCode::CatalogUnsupported,
                Subject::Tags(_) | Subject::Referrers(..) => FindingCode::RepositoryMissing,
                Subject::Manifest(..) => FindingCode::ManifestMissing,
                Subject::Blob(..) => FindingCode::ConfigUnreadable,
            },
            Self::Rejected { status, .. }
                if *subject == Subject::Catalog && matches!(status.as_u16(), 405 | 410 | 501) =>
            {
                FindingCode::CatalogUnsupported
            }
            Self::Rejected { .. } | Self::Protocol { .. } => FindingCode::Protocol,
            Self::RateLimited { .. } => FindingCode::RateLimited,
            Self::Unavailable { .. } => FindingCode::Unavailable,
            Self::TooLarge { .. } if matches!(subject, Subject::Manifest(..)) => {
                FindingCode::ManifestTooLarge
            }
            Self::TooLarge { .. } => FindingCode::TooLarge,
            Self::Digest(_) => FindingCode::DigestMismatch,
            Self::Internal { .. } => FindingCode::Internal,
        }
    }
}

/// Reading something from a registry failed. [`std::error::Error::source`] is the [`Fault`].
#[derive(Debug)]
pub struct RegistryError(Box<Failure>);

#[derive(Debug)]
struct Failure {
    registry: String,
    subject: Subject,
    fault: Fault,
}

impl fmt::Display for RegistryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot read {} from {}", self.0.subject, self.0.registry)
    }
}

impl std::error::Error for RegistryError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0.fault)
    }
}

impl RegistryError {
    pub(crate) fn new(registry: String, subject: Subject, fault: Fault) -> Self {
        Self(Box::new(Failure {
            registry,
            subject,
            fault,
        }))
    }

    /// What went wrong.
    #[must_use]
    pub fn fault(&self) -> &Fault {
        &self.0.fault
    }

    /// What was being read.
    #[must_use]
    pub fn subject(&self) -> &Subject {
        &self.0.subject
    }

    /// `HOST:PORT` of the registry.
    #[must_use]
    pub fn registry(&self) -> &str {
        &self.0.registry
    }

    /// Whether it is not there, or hidden from this login.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self.0.fault, Fault::Missing { .. })
    }

    /// Whether tags were asked for and the registry says outright that it knows no such repository, by the code `NAME_UNKNOWN`
    /// (distribution-spec 1.1, "Error Codes"). A bare 404 may come from anything on the way.
    #[must_use]
    pub fn is_unknown_repository(&self) -> bool {
        matches!(self.0.subject, Subject::Tags(_)) && self.0.fault.is_name_unknown()
    }

    /// Whether the registry knows us but grants no right to it. A credential that was refused altogether is something else.
    #[must_use]
    pub fn is_denied(&self) -> bool {
        matches!(self.0.fault, Fault::Denied { .. })
    }

    /// Whether a later try may succeed without anybody changing anything.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        self.0.fault.may_pass()
    }

    /// Whether everything else that is asked of this registry will fail in the same way.
    #[must_use]
    pub fn concerns_whole_registry(&self) -> bool {
        matches!(
            self.0.fault,
            Fault::Policy {
                purpose: Purpose::Registry | Purpose::Realm,
                ..
            } | Fault::Unresolved
                | Fault::Trust(_)
                | Fault::Chain(_)
                | Fault::Tls { .. }
                | Fault::Credential(_)
                | Fault::LoginRefused { .. }
                | Fault::Realm { .. }
        )
    }

    /// The diagnosis to record: a stable code and one printable, bounded line.
    #[must_use]
    pub fn finding(&self) -> Finding {
        let Failure {
            registry,
            subject,
            fault,
        } = &*self.0;
        // What to act on comes first: the line is cut at its bound.
        let seen = match fault {
            Fault::Chain(refused) => format!("{registry}: {}", refused.reason),
            // Neither whether a file is there nor what is in it: whoever names references must not learn that. The local log says it.
            Fault::Credential(_) => {
                format!("{registry}: the credential could not be read; the agent's log says why")
            }
            Fault::Trust(error) => format!("{registry}: {error}"),
            _ => format!("{registry}: {fault}, reading {subject}"),
        };
        let finding = Finding::new(fault.code(subject), &seen);
        match fault {
            // Whoever has to find the right CA needs the whole of what was presented.
            Fault::Chain(refused) => finding.with_detail(&refused.chain.to_string()),
            _ => finding,
        }
    }
}
