//! Reading the audit log.

use portolan_shared::audit::{AuditHead, LinkedRecord, SignedCheckpoint};
use portolan_store::{AuditRecord, Page, PageRequest, Role};

use crate::app::{App, AppError, Caller};

impl App {
    /// The tenant's audit log, newest first.
    pub async fn audit_log(
        &self,
        caller: &Caller,
        page: &PageRequest,
    ) -> Result<Page<AuditRecord>, AppError> {
        caller.require(Role::Viewer)?;
        Ok(self.store.audit(caller.tenant, page).await?)
    }

    /// The tenant's audit log behind record `after`, oldest first, as it is hashed.
    pub async fn audit_chain(
        &self,
        caller: &Caller,
        after: u64,
        limit: u16,
    ) -> Result<Vec<LinkedRecord<String>>, AppError> {
        caller.require(Role::Viewer)?;
        Ok(self.store.audit_range(caller.tenant, after, limit).await?)
    }

    /// Where the tenant's audit log stands.
    pub async fn audit_head(&self, caller: &Caller) -> Result<AuditHead, AppError> {
        caller.require(Role::Viewer)?;
        Ok(self.store.audit_head(caller.tenant).await?)
    }

    /// The signed checkpoints of the tenant's audit log, newest first.
    pub async fn audit_checkpoints(
        &self,
        caller: &Caller,
        page: &PageRequest,
    ) -> Result<Page<SignedCheckpoint>, AppError> {
        caller.require(Role::Viewer)?;
        Ok(self.store.audit_checkpoints(caller.tenant, page).await?)
    }
}
