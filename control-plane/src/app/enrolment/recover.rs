//! Recovery: a certificate for a sensor whose own has ended, or is not accepted any more, by the proof of its identity key.

use data_encoding::HEXLOWER;
use jiff::Timestamp;
use portolan_shared::model::{Reason, SensorId};
use portolan_shared::secret::SecretBytes;
use portolan_store::{
    AuditEntry, AuditSeverity, Certificate, ContinuityHash, JudgedRecovery, MachineFacts, RecoveryClaim,
    RecoveryGrounds, RecoveryOutcome, StoreError,
};
use serde_json::json;

use super::entry::{entry, issued};
use super::{AdmittedSensor, IssuedSensor};
use crate::app::App;
use crate::ca::{Authority, CaError, RequestedKey};

/// What a sensor shows to get a certificate without one. The caller has verified that its identity key signed it.
#[derive(Debug)]
pub struct RecoveryAttempt {
    /// Which sensor.
    pub sensor: SensorId,
    /// The challenge that was answered.
    pub challenge: Vec<u8>,
    /// When that challenge was made.
    pub challenged_at: Timestamp,
    /// The continuity token that it showed; none if it has none.
    pub shown: Option<SecretBytes>,
    /// The key that it wants a certificate for.
    pub key: RequestedKey,
    /// What its machine knows itself by, as it says.
    pub fingerprint: Option<[u8; 16]>,
    /// What it tells of the start of its machine.
    pub boot_id: String,
    /// The address that it came from.
    pub source: String,
}

/// Why there was no certificate.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    /// The sensor may not have one.
    #[error("the sensor may not recover: {0}")]
    Refused(Reason),
    /// The database failed.
    #[error("the recovery could not be stored")]
    Store(#[from] StoreError),
    /// No certificate could be made.
    #[error("no certificate could be issued")]
    Ca(#[from] CaError),
}

impl App {
    /// Judges the wish for a recovery, and issues the certificate if it is good. A continuity token that is not good any more means that
    /// the identity is in two places: both are shut out.
    pub async fn recover(
        &self,
        authority: &Authority,
        attempt: RecoveryAttempt,
    ) -> Result<AdmittedSensor, RecoveryError> {
        let now = self.clock.now();
        let sensor = attempt.sensor;
        let planned = authority.plan(now);
        let not_after = planned.not_after();
        let continuity_token = self.continuity_token();
        let claim = RecoveryClaim {
            sensor,
            challenge: ContinuityHash::of(&attempt.challenge).0,
            challenged_at: attempt.challenged_at,
            shown: attempt
                .shown
                .as_ref()
                .map(|token| ContinuityHash::of(token.expose())),
            fingerprint: attempt.fingerprint,
            sent: ContinuityHash::of(continuity_token.expose()),
            certificate: Certificate {
                serial: planned.serial,
                not_after,
            },
            now,
        };
        let note = |judged: &JudgedRecovery| note(judged, now, &attempt, &claim.certificate);
        let tenant = match self.store.recover_sensor(&claim, &note).await? {
            RecoveryOutcome::Recovered { tenant, grounds } => {
                tracing::info!(%sensor, source = attempt.source, ?grounds, "recovered");
                // A quarantine may have ended with it.
                self.signals.denials.notify_one();
                tenant
            }
            RecoveryOutcome::Refused(reason) => return Err(RecoveryError::Refused(reason)),
            RecoveryOutcome::Stale { tenant } => {
                let machine = MachineFacts {
                    fingerprint: attempt.fingerprint,
                    boot_id: attempt.boot_id,
                    seen_from: attempt.source,
                    ..MachineFacts::default()
                };
                let why = "state older than last session";
                self.conflict(tenant, sensor, why, &machine).await?;
                return Err(RecoveryError::Refused(Reason::IdentityConflict));
            }
        };
        let chain = authority.issue_sensor(planned, tenant, sensor, &attempt.key)?;
        Ok(AdmittedSensor {
            issued: IssuedSensor {
                sensor,
                tenant,
                chain,
                not_after,
            },
            continuity_token,
        })
    }
}

fn note(
    judged: &JudgedRecovery,
    now: Timestamp,
    attempt: &RecoveryAttempt,
    certificate: &Certificate,
) -> Option<AuditEntry> {
    let fingerprint = attempt
        .fingerprint
        .map(|bytes| HEXLOWER.encode(&bytes))
        .unwrap_or_default();
    let (action, severity, details) = match judged.outcome {
        RecoveryOutcome::Recovered { grounds, .. } => {
            let details = json!({
                "approved": grounds == RecoveryGrounds::Approval,
                "amnesty": (grounds == RecoveryGrounds::Amnesty).then_some(true),
                "boot_id": attempt.boot_id,
                "fingerprint": fingerprint,
            });
            let details = issued(certificate, details);
            ("sensor.recover", AuditSeverity::Notice, details)
        }
        RecoveryOutcome::Refused(reason) => {
            let details = json!({
                "reason": reason.as_str(),
                "boot_id": attempt.boot_id,
                "fingerprint": fingerprint,
                "refused_since_the_last_entry": judged.unnoted,
            });
            ("sensor.recovery_refused", AuditSeverity::Notice, details)
        }
        // The conflict has an entry of its own.
        RecoveryOutcome::Stale { .. } => return None,
    };
    let actor = format!("address:{}", attempt.source);
    let object = format!("sensor:{}", attempt.sensor);
    Some(entry(now, actor, action, object, severity, details))
}
