//! Entries about what was not allowed: requests that a sensor's policy refused, and API tokens that are no good.

use portolan_shared::model::{ApiTokenId, Finding, FindingCode, SensorId, TenantId};
use portolan_store::{AuditEntry, AuditSeverity, Fence};
use serde_json::json;

use crate::app::App;

/// What a sensor has caused.
pub(in crate::app) struct SensorNote {
    pub(in crate::app) action: &'static str,
    pub(in crate::app) object: String,
    pub(in crate::app) severity: AuditSeverity,
    pub(in crate::app) details: serde_json::Value,
}

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
        let refused = SensorNote {
            action: "policy.refused",
            object,
            severity: AuditSeverity::Notice,
            details: json!({"refused": finding.seen}),
        };
        self.note_of_sensor(tenant, sensor, refused).await;
    }

    /// A sensor does not know the kind of job that it was given. That is an older agent, or a control plane that tries what no agent does.
    pub(in crate::app) async fn note_unsupported(&self, fence: &Fence, object: String, finding: &Finding) {
        let refused = SensorNote {
            action: "job.unsupported",
            object,
            severity: AuditSeverity::Notice,
            details: json!({"attempt": fence.attempt.attempt, "seen": finding.seen}),
        };
        self.note_of_sensor(fence.tenant, fence.sensor, refused).await;
    }

    /// How many conflicts of a sensor that shut nobody out there were since the last entry about one, if another entry is due.
    pub(in crate::app) fn may_tell_of_conflict(&self, sensor: SensorId) -> Option<u64> {
        let of = (sensor, "sensor.conflict");
        self.pace.sensors.count(of, self.clock.uptime())
    }

    /// Writes an entry that a sensor has caused, once a minute for each action, whatever it is about, with how many there would have been since
    /// the last one: what a sensor does must not fill its tenant's log.
    pub(in crate::app) async fn note_of_sensor(&self, tenant: TenantId, sensor: SensorId, note: SensorNote) {
        let SensorNote {
            action,
            object,
            severity,
            mut details,
        } = note;
        let Some(times) = self.pace.sensors.count((sensor, action), self.clock.uptime()) else {
            return;
        };
        details["times"] = times.into();
        let entry = AuditEntry {
            at: self.clock.now(),
            actor: format!("sensor:{sensor}"),
            action: action.to_owned(),
            object,
            severity,
            details,
        };
        self.note(tenant, entry).await;
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
