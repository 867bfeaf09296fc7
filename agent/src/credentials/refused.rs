//! Why a sealed credential is not taken.

use portolan_proto::convert::FieldError;
use portolan_shared::model::{Finding, FindingCode, Reason, RegistryUrl};
use portolan_shared::secret::sealed::{BindingField, OpenError, UnixSecond};

use crate::jobs::JobRefusal;
use crate::keyring::KeyringError;
use crate::policy::PolicyRefusal;

/// A sealed credential is not taken. Names the field that does not fit; never tells a value of it.
#[derive(Debug, thiserror::Error)]
pub enum CredentialRefused {
    /// It is not one.
    #[error("the sealed credential cannot be read")]
    Form(#[source] FieldError),
    /// The local policy takes none for this registry.
    #[error("{0}")]
    Policy(PolicyRefusal),
    /// It is for another registry than that of the job.
    #[error("the sealed credential is for another {0} than that of the job")]
    Elsewhere(BindingField),
    /// A version that is as good as withdrawn.
    #[error("the sealed credential has version {version}, and version {floor} has worked before")]
    Older {
        /// Its version.
        version: u64,
        /// The lowest that is taken.
        floor: u64,
    },
    /// Its time is over.
    #[error("the sealed credential ended at {0}")]
    Ended(UnixSecond),
    /// Nobody knows whether it is an old version.
    #[error("the sealed credential cannot be told from an older version of it")]
    Versions(#[source] KeyringError),
    /// It does not open.
    #[error("the sealed credential does not open")]
    Sealed(#[source] OpenError),
}

impl CredentialRefused {
    /// What did not fit.
    #[must_use]
    pub fn field(&self) -> Option<BindingField> {
        match self {
            Self::Form(_) | Self::Policy(_) => None,
            Self::Elsewhere(field) => Some(*field),
            Self::Older { .. } | Self::Versions(_) => Some(BindingField::Version),
            Self::Ended(_) => Some(BindingField::ExpiresAt),
            Self::Sealed(error) => Some(error.field()),
        }
    }

    /// The stable id of the rule that refused.
    #[must_use]
    pub fn rule(&self) -> String {
        match (self, self.field()) {
            (Self::Policy(refused), _) => refused.rule.to_string(),
            (_, Some(field)) => format!("credential:{field}"),
            (_, None) => "credential:form".to_owned(),
        }
    }

    /// What the control plane, and through it the tenant, is told.
    #[must_use]
    pub fn refusal(&self, registry: &RegistryUrl) -> JobRefusal {
        let rule = self.rule();
        let (reason, code) = match self {
            Self::Policy(_) => (Reason::Policy, FindingCode::PolicyRefused),
            _ => (Reason::CredentialRefused, FindingCode::CredentialRefused),
        };
        let seen = match std::error::Error::source(self) {
            // The rule has it already.
            _ if matches!(self, Self::Policy(_)) => self.to_string(),
            Some(why) => format!("{}: {self}: {why} (rule {rule})", registry.authority()),
            None => format!("{}: {self} (rule {rule})", registry.authority()),
        };
        JobRefusal {
            reason,
            finding: Finding::new(code, &seen),
            rule,
        }
    }
}
