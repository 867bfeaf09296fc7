//! Taking checkpoints.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use portolan_shared::audit::{AuditHead, ChainFault, ChainFaultKind, ChainOwner, ChainVerifier, Checkpoint};
use portolan_shared::model::TenantId;
use portolan_shared::process::Shutdown;
use portolan_store::{AuditEntry, AuditSeverity, PageRequest, StoreError};
use serde_json::json;

use crate::app::App;

/// How often a log that has grown gets a checkpoint. One more is taken when the control plane stops.
pub const CHECKPOINT_EVERY: Duration = Duration::from_secs(600);

impl App {
    /// Takes checkpoints until draining begins: at once, then every [`CHECKPOINT_EVERY`].
    pub async fn keep_checkpoints(self: Arc<Self>, shutdown: Shutdown) {
        loop {
            self.take_checkpoints_or_say_why().await;
            tokio::select! {
                () = shutdown.draining() => return,
                () = tokio::time::sleep(CHECKPOINT_EVERY) => {}
            }
        }
    }

    /// Signs where every log stands that has grown since its last checkpoint, if its records lead there; gives how many did. A log whose
    /// records do not is not signed any more, and says so itself; one that cannot be read leaves the others alone.
    pub async fn take_checkpoints(&self) -> Result<usize, StoreError> {
        let (mut taken, mut failed) = (0, None);
        for (tenant, head) in self.store.uncheckpointed_audits().await? {
            match self.take_checkpoint(tenant, &head).await {
                Ok(true) => taken += 1,
                Ok(false) => {}
                Err(error) => failed = Some(error),
            }
        }
        if taken > 0 {
            self.signals.checkpoints.send_modify(|times| *times += 1);
        }
        failed.map_or(Ok(taken), Err)
    }

    async fn take_checkpoint(&self, tenant: TenantId, head: &AuditHead) -> Result<bool, StoreError> {
        if let Err(fault) = self.leads_to(tenant, head).await? {
            self.tell_broken(tenant, fault).await;
            return Ok(false);
        }
        let checkpoint = Checkpoint::of(ChainOwner::Tenant(tenant), head, self.clock.now());
        let signed = self.audit_key.sign(checkpoint);
        self.store.add_audit_checkpoint(tenant, &signed).await?;
        Ok(true)
    }

    /// Whether the records lead to `head` from the last checkpoint, which this control plane must have signed; from the first record on if
    /// there is none.
    async fn leads_to(
        &self,
        tenant: TenantId,
        head: &AuditHead,
    ) -> Result<Result<(), ChainFault>, StoreError> {
        let newest = PageRequest {
            after: None,
            limit: 1,
        };
        let owner = ChainOwner::Tenant(tenant);
        let start = match self.store.audit_checkpoints(tenant, &newest).await?.items.pop() {
            Some(signed) if signed.key == self.audit_key.public() && signed.verify().is_ok() => {
                signed.checkpoint.head()
            }
            Some(signed) => {
                let (seq, kind) = (signed.checkpoint.seq, ChainFaultKind::Rewritten);
                return Ok(Err(ChainFault { seq, kind }));
            }
            None => owner.genesis(),
        };
        let mut verifier = ChainVerifier::after(start).through(*head);
        while verifier.head().seq < head.seq && !verifier.is_bad() {
            let records = self
                .store
                .audit_range(tenant, verifier.head().seq, PageRequest::MAX)
                .await?;
            if records.is_empty() {
                break;
            }
            let until = records.iter().filter(|linked| linked.record.seq <= head.seq);
            until.for_each(|linked| verifier.push(linked));
            // A log without the record that is next has a hole there: what stands behind it would be asked for without end.
            if records.first().is_some_and(|first| first.record.seq > head.seq) {
                break;
            }
        }
        Ok(verifier.finish().map(drop))
    }

    /// Says in the log itself that it is broken: once for each record that is found to be, and again after a restart.
    async fn tell_broken(&self, tenant: TenantId, fault: ChainFault) {
        let told = {
            let mut broken = self.pace.broken.lock().unwrap_or_else(PoisonError::into_inner);
            broken.insert(tenant, fault.seq) == Some(fault.seq)
        };
        if told {
            return;
        }
        tracing::error!(%tenant, %fault, "AN AUDIT LOG IS NOT WHAT IT WAS: it is not signed any more");
        let entry = AuditEntry {
            at: self.clock.now(),
            actor: "system".to_owned(),
            action: "audit.broken".to_owned(),
            object: format!("tenant:{tenant}"),
            severity: AuditSeverity::High,
            details: json!({"record": fault.seq, "why": fault.to_string()}),
        };
        self.note(tenant, entry).await;
    }

    /// The same, for where nobody waits for the answer.
    pub async fn take_checkpoints_or_say_why(&self) {
        match self.take_checkpoints().await {
            Ok(0) => {}
            Ok(logs) => tracing::debug!(logs, "checkpoints of audit logs were taken"),
            Err(error) => tracing::error!(
                error = &error as &dyn std::error::Error,
                "checkpoints of audit logs were not taken"
            ),
        }
    }
}
