//! Reading the audit log. It is written by the use cases themselves.

use portolan_store::{AuditRecord, Page, PageRequest, Role};

use super::{App, AppError, Caller};

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
}
