//! The certificates that everything else is believed by, in every tenant's log.

use portolan_shared::model::TenantId;
use portolan_store::{AuditEntry, AuditOrder, AuditSeverity, PageRequest, StoreError};
use serde_json::json;

use crate::app::App;
use crate::ca::{Authority, AuthorityCertificate};

impl App {
    /// Tells every tenant's log of roots and issuing CAs that it does not know to be in use: at the first start of all of them, later of a new
    /// issuing CA, and of a root in the place of another, which nobody but an intruder or a wrong backup would put there.
    ///
    /// To be called at every start and whenever a CA was made: what a crash has left out is told of then. The listener's own certificates, two
    /// a week, are no change of whom sensors trust, and have no entries.
    pub async fn note_authority(&self, authority: &Authority) -> Result<(), StoreError> {
        let certificates = authority.certificates();
        for tenant in self.store.tenants().await? {
            for certificate in &certificates {
                self.note_certificate(tenant.id, certificate).await?;
            }
        }
        Ok(())
    }

    async fn note_certificate(
        &self,
        tenant: TenantId,
        certificate: &AuthorityCertificate,
    ) -> Result<(), StoreError> {
        let object = format!("ca:{}", certificate.name);
        let newest = PageRequest {
            after: None,
            limit: 1,
        };
        let known = self
            .store
            .audit_of(
                tenant,
                std::slice::from_ref(&object),
                AuditOrder::NewestFirst,
                &newest,
            )
            .await?
            .items
            .pop();
        let known = known.and_then(|record| Some(record.entry.details["fingerprint"].as_str()?.to_owned()));
        if known.as_deref() == Some(&*certificate.fingerprint) {
            return Ok(());
        }
        let is_root = certificate.name.ends_with("-root");
        let (action, severity) = match (is_root, &known) {
            (true, None) => ("ca.root", AuditSeverity::Notice),
            (true, Some(_)) => ("ca.root_replaced", AuditSeverity::High),
            (false, None) => ("ca.issuing", AuditSeverity::Info),
            (false, Some(_)) => ("ca.issuing_replaced", AuditSeverity::Notice),
        };
        let entry = AuditEntry {
            at: self.clock.now(),
            actor: "system".to_owned(),
            action: action.to_owned(),
            object,
            severity,
            details: json!({
                "fingerprint": certificate.fingerprint, "not_after": certificate.not_after, "before": known,
            }),
        };
        self.store.append_audit(tenant, &entry).await?;
        Ok(())
    }
}
