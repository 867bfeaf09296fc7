//! Entries about what was not allowed: requests that a sensor's policy refused, and API tokens that are no good.

use portolan_shared::model::{ApiTokenId, Finding, FindingCode, SensorId, TenantId};
use portolan_store::{AuditEntry, AuditSeverity};
use serde_json::json;

use crate::app::App;

impl App {
    /// A token of this tenant was shown that is no good any more, or with a secret that is not its own.
    pub(in crate::app) async fn note_refused_token(
        &self,
        tenant: TenantId,
        token: ApiTokenId,
        name: &str,
        why: &'static str,
    ) {
        let Some(times) = self.pace.tokens.count(token, self.clock.uptime()) else {
            return;
        };
        self.note(
            tenant,
            AuditEntry {
                at: self.clock.now(),
                actor: "system".to_owned(),
                action: "token.refused".to_owned(),
                object: format!("token:{token}"),
                severity: AuditSeverity::Notice,
                details: json!({"name": name, "why": why, "times": times}),
            },
        )
        .await;
    }

    /// A sensor's own policy refused what it was asked for; nothing happens if the finding is another. Once a minute for each sensor, with the
    /// number of refusals since: what a sensor reports must not fill the tenant's log.
    pub(in crate::app) async fn note_policy_refusal(
        &self,
        tenant: TenantId,
        sensor: SensorId,
        object: String,
        finding: &Finding,
    ) {
        if finding.code != FindingCode::PolicyRefused {
            return;
        }
        const REFUSED: &str = "policy.refused";
        let Some(times) = self.pace.sensors.count((sensor, REFUSED), self.clock.uptime()) else {
            return;
        };
        self.note(
            tenant,
            AuditEntry {
                at: self.clock.now(),
                actor: format!("sensor:{sensor}"),
                action: REFUSED.to_owned(),
                object,
                severity: AuditSeverity::Notice,
                details: json!({"refused": finding.seen, "times": times}),
            },
        )
        .await;
    }

    pub(in crate::app) async fn note(&self, tenant: TenantId, entry: AuditEntry) {
        if let Err(error) = self.store.append_audit(tenant, &entry).await {
            tracing::error!(
                action = entry.action,
                error = &error as &dyn std::error::Error,
                "an audit entry was lost"
            );
        }
    }
}
