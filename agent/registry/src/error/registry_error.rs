//! A fault with its coordinates.

use std::fmt;

use portolan_shared::model::Finding;

use super::code::{CREDENTIAL_RULES, LATER_RULES};
use super::fault::Fault;
use super::subject::Subject;
use crate::auth::CredentialError;
use crate::http::Purpose;

/// Reading something from a registry failed. [`std::error::Error::source`] is the [`Fault`].
#[derive(Debug)]
pub struct RegistryError(Box<Failure>);

#[derive(Debug)]
struct Failure {
    registry: String,
    subject: Subject,
    fault: Fault,
    explained: Option<Finding>,
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
            explained: None,
        }))
    }

    /// The same, with what it means in the product's terms.
    pub(crate) fn explained(mut self, finding: Option<Finding>) -> Self {
        self.0.explained = finding;
        self
    }

    /// Whether its finding is in the product's terms already.
    pub(crate) fn is_explained(&self) -> bool {
        self.0.explained.is_some()
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

    /// Whether it is about the credential as such, so that nothing that needs one can succeed.
    pub(crate) fn concerns_credential(&self) -> bool {
        matches!(
            self.0.fault,
            Fault::Credential(_) | Fault::LoginRefused { .. } | Fault::LoginHeldBack | Fault::Unfit { .. }
        )
    }

    /// Whether everything else that is asked of this registry will fail in the same way.
    #[must_use]
    pub fn concerns_whole_registry(&self) -> bool {
        // A product's own API may be elsewhere, and have troubles of its own.
        if matches!(
            self.0.subject,
            Subject::Discovery(_) | Subject::Listing(..) | Subject::Credential
        ) {
            return self.concerns_credential();
        }
        let fault = match &self.0.fault {
            // Without tokens nothing can be read.
            Fault::Elsewhere {
                purpose: Purpose::Realm,
                fault,
                ..
            } => fault,
            fault => fault,
        };
        matches!(
            fault,
            Fault::Policy {
                purpose: Purpose::Registry | Purpose::Realm,
                ..
            } | Fault::BudgetSpent
                | Fault::Unresolved
                | Fault::ProxyRefused { .. }
                | Fault::Trust(_)
                | Fault::Chain(_)
                | Fault::PlainHttp
                | Fault::TlsExpected
                | Fault::ClientCertificate { .. }
                | Fault::Tls { .. }
                | Fault::Credential(_)
                | Fault::LoginRefused { .. }
                | Fault::LoginHeldBack
                | Fault::Unfit { .. }
                | Fault::WebAddress { .. }
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
            explained,
        } = &*self.0;
        if let Some(explained) = explained {
            return explained.clone();
        }
        let chain = fault.chain();
        // What to act on comes first: the line is cut at its bound.
        let seen = match (fault, chain) {
            (Fault::Elsewhere { host, .. }, Some(refused)) => format!("{host}: {}", refused.reason),
            (_, Some(refused)) => format!("{registry}: {}", refused.reason),
            (
                Fault::Policy {
                    host,
                    port,
                    purpose,
                    rule,
                },
                None,
            ) if rule.starts_with(CREDENTIAL_RULES) && rule.ends_with(LATER_RULES) => {
                format!(
                    "{registry}: the sealed credential is bound to {host}:{port} only since this job began; the next one goes there (rule {rule})"
                )
            }
            (
                Fault::Policy {
                    host,
                    port,
                    purpose,
                    rule,
                },
                None,
            ) if rule.starts_with(CREDENTIAL_RULES) => {
                format!(
                    "{registry}: {host}:{port} is no {purpose} that the sealed credential is bound to (rule {rule})"
                )
            }
            (Fault::Credential(error @ CredentialError::Sealed(_)), None) => format!("{registry}: {error}"),
            // Neither whether a file is there nor what is in it: whoever names references must not learn that. The local log says it.
            (Fault::Credential(_), None) => {
                format!("{registry}: the credential could not be read; the agent's log says why")
            }
            (Fault::Trust(error), None) => format!("{registry}: {error}"),
            (
                Fault::WebAddress {
                    registry: Some(found),
                    ..
                },
                None,
            ) => format!("{registry}: {fault}; its registry is at {found}"),
            (Fault::WebAddress { candidates, .. }, None) if !candidates.is_empty() => {
                format!("{registry}: {fault}; its usual places: {}", candidates.join(", "))
            }
            (Fault::Elsewhere { purpose, host, fault }, None) => {
                format!("{registry}: the {purpose} {host}: {fault}, reading {subject}")
            }
            (_, None) => format!("{registry}: {fault}, reading {subject}"),
        };
        let finding = Finding::new(fault.code(registry, subject), &seen);
        match chain {
            // Whoever has to find the right CA needs the whole of what was presented.
            Some(refused) => finding.with_detail(&refused.chain.to_string()),
            None => finding,
        }
    }
}
