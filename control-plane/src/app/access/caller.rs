//! A caller: whose behalf, and which role.

use jiff::Timestamp;
use portolan_shared::model::{ApiTokenId, TenantId};
use portolan_store::{AuditEntry, AuditSeverity, Role};

use crate::app::AppError;

/// Who asks, as a valid API token proves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The tenant that everything happens in.
    pub tenant: TenantId,
    /// What the caller may do.
    pub role: Role,
    /// The token's id.
    pub token: ApiTokenId,
    /// The token's name.
    pub token_name: String,
}

impl Caller {
    /// Refuses callers whose role is below `needs`.
    pub fn require(&self, needs: Role) -> Result<(), AppError> {
        if self.role >= needs {
            Ok(())
        } else {
            Err(AppError::Forbidden {
                needs,
                has: self.role,
            })
        }
    }

    /// The caller as an actor of the audit log.
    #[must_use]
    pub fn actor(&self) -> String {
        format!("token:{}", self.token_name)
    }

    /// The audit entry for something that the caller does.
    pub(in crate::app) fn entry(
        &self,
        at: Timestamp,
        action: &str,
        object: String,
        severity: AuditSeverity,
        details: serde_json::Value,
    ) -> AuditEntry {
        AuditEntry {
            at,
            actor: self.actor(),
            action: action.to_owned(),
            object,
            severity,
            details,
        }
    }
}
