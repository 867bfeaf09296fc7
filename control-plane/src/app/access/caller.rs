//! A caller: whose behalf, and which role.

use portolan_shared::model::{ApiTokenId, TenantId};
use portolan_store::{AuditEntry, AuditSeverity, Role};

use crate::app::{App, AppError};

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
}

impl App {
    /// Writes what a caller has done into the audit log of the caller's tenant.
    pub(in crate::app) async fn note(
        &self,
        caller: &Caller,
        action: &str,
        object: String,
        severity: AuditSeverity,
        details: serde_json::Value,
    ) -> Result<(), AppError> {
        let entry = AuditEntry {
            at: self.clock.now(),
            actor: caller.actor(),
            action: action.to_owned(),
            object,
            severity,
            details,
        };
        self.store.append_audit(caller.tenant, &entry).await?;
        Ok(())
    }
}
