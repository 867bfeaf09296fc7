//! From faults to the codes of findings.

use portolan_shared::model::{CredentialKind, FindingCode, Flavour};
use portolan_shared::tls::{ChainProblem, ChainRefused, MissingTrust};

use super::fault::Fault;
use super::subject::Subject;
use crate::auth::CredentialError;
use crate::http::Purpose;

/// What the ids of rules begin with that are not the local policy's, but those of the credential in use: the hosts that it is bound to.
pub(super) const CREDENTIAL_RULES: &str = "credential:";
/// What those of them end with that refuse the job at hand, and not the next: the credential was entered again meanwhile.
pub(super) const LATER_RULES: &str = ".later";

impl Fault {
    /// The code of the finding that this makes, met at `host`, a name with or without a port, while reading `subject`.
    pub(super) fn code(&self, host: &str, subject: &Subject) -> FindingCode {
        match self {
            Self::Policy { rule, .. } if rule.starts_with(CREDENTIAL_RULES) => FindingCode::CredentialUnbound,
            Self::Policy {
                purpose: Purpose::Storage,
                ..
            }
            | Self::Redirect { .. } => FindingCode::RedirectRefused,
            Self::Policy { .. } => FindingCode::PolicyRefused,
            Self::Address { .. } => FindingCode::AddressRefused,
            Self::BudgetSpent => FindingCode::BudgetSpent,
            Self::Unresolved if is_single_label(host) => FindingCode::NameSingleLabel,
            Self::Unresolved => FindingCode::NameResolution,
            Self::PortClosed => FindingCode::PortClosed,
            Self::ConnectTimedOut => FindingCode::ConnectTimedOut,
            Self::Unreachable { .. } | Self::Interrupted | Self::TimedOut { .. } => FindingCode::Unreachable,
            Self::ProxyRefused { .. } => FindingCode::ProxyRefused,
            Self::ProxyUnreachable { .. } => FindingCode::ProxyUnreachable,
            Self::Trust(_) | Self::Tls { .. } => FindingCode::TlsFailed,
            Self::Chain(refused) => of_chain(refused),
            Self::PlainHttp => FindingCode::TlsPlainHttp,
            Self::TlsExpected => FindingCode::TlsExpected,
            Self::ClientCertificate { .. } => FindingCode::TlsClientCertificate,
            Self::Elsewhere {
                purpose: Purpose::Storage,
                fault,
                ..
            } if fault.is_of_tls() => FindingCode::StorageUntrusted,
            Self::Elsewhere {
                purpose: Purpose::Storage,
                ..
            } => FindingCode::StorageUnreachable,
            Self::Elsewhere { host, fault, .. } => fault.code(host, subject),
            Self::Credential(CredentialError::Sealed(_)) => FindingCode::CredentialRefused,
            Self::Credential(_) => FindingCode::CredentialUnavailable,
            Self::LoginRefused { .. } => FindingCode::AuthenticationFailed,
            Self::LoginHeldBack => FindingCode::CredentialHeldBack,
            Self::Unfit {
                kind: CredentialKind::CiJobToken,
            } => FindingCode::CredentialOfJob,
            Self::Unfit { .. } => FindingCode::CredentialUnfit,
            Self::WebAddress {
                product: Flavour::GitLab,
                ..
            } => FindingCode::GitLabWebAddress,
            Self::WebAddress { .. } => FindingCode::WebPage,
            Self::NotAsked { .. } => FindingCode::NativeApiRefused,
            Self::Realm { .. } => FindingCode::RealmRefused,
            Self::Token { .. } => FindingCode::TokenUnreadable,
            Self::TokenRefused { .. } => FindingCode::TokenRefused,
            // The product's own way is closed; the registry may still be open.
            Self::Denied { .. }
            | Self::Missing { .. }
            | Self::Rejected { .. }
            | Self::Protocol { .. }
            | Self::WebPage
                if matches!(subject, Subject::Discovery(_) | Subject::Listing(..)) =>
            {
                FindingCode::NativeApiRefused
            }
            Self::Denied { .. } if *subject == Subject::Catalog => FindingCode::CatalogDenied,
            Self::Denied { .. } => FindingCode::Denied,
            Self::Missing { .. } => of_missing(subject),
            Self::Rejected { status, .. } => match (subject, status.as_u16()) {
                (Subject::Catalog, 405 | 410 | 501) => FindingCode::CatalogUnsupported,
                (Subject::Manifest(..), 412) => FindingCode::ManifestBlocked,
                _ => FindingCode::Protocol,
            },
            Self::AcceptStripped => FindingCode::AcceptStripped,
            Self::Schema1 => FindingCode::ManifestSchema1,
            Self::WebPage => FindingCode::WebPage,
            Self::Protocol { .. } => FindingCode::Protocol,
            Self::RateLimited { .. } | Self::QuotaUsedUp { .. } | Self::TurnedAway => {
                FindingCode::RateLimited
            }
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

/// Whether a name is none of the public DNS, but one that some network gives to what is in it.
fn is_single_label(host: &str) -> bool {
    let name = host.split_once(':').map_or(host, |(name, _)| name);
    !name.contains(['.', '[']) && !name.eq_ignore_ascii_case("localhost")
}

fn of_missing(subject: &Subject) -> FindingCode {
    match subject {
        Subject::Api | Subject::Credential => FindingCode::ApiMissing,
        Subject::Discovery(_) | Subject::Listing(..) => FindingCode::NativeApiRefused,
        Subject::Catalog => FindingCode::CatalogUnsupported,
        Subject::Tags(_) | Subject::Referrers(..) => FindingCode::RepositoryMissing,
        Subject::Manifest(..) => FindingCode::ManifestMissing,
        Subject::Blob(..) => FindingCode::ConfigUnreadable,
    }
}

fn of_chain(refused: &ChainRefused) -> FindingCode {
    match refused.problem {
        ChainProblem::Expired => FindingCode::TlsExpired,
        ChainProblem::NotYetValid => FindingCode::TlsNotYetValid,
        ChainProblem::WrongName => FindingCode::TlsWrongName,
        ChainProblem::Invalid => FindingCode::TlsInvalid,
        ChainProblem::Untrusted => match refused.chain.missing_trust() {
            MissingTrust::Inspection => FindingCode::TlsIntercepted,
            MissingTrust::SelfSigned => FindingCode::TlsSelfSigned,
            MissingTrust::Intermediate => FindingCode::TlsChainIncomplete,
            MissingTrust::Authority => FindingCode::TlsPrivateCa,
            MissingTrust::Unknown => FindingCode::TlsUntrusted,
        },
    }
}
