//! Credentials on their way to the one sensor that needs them, looked up at the moment when the message leaves.

use portolan_shared::model::{Finding, FindingCode, Reason, RegistryId};
use portolan_shared::secret::sealed::{CredentialBinding, SealedForOne};
use portolan_store::{AuditEntry, AuditSeverity, DeliveredFor, Delivery, Fence, NewProbe, StoreError};
use serde_json::json;

use crate::app::{App, LiveSession};

impl App {
    /// What the sensor of a session is to read a registry with.
    pub async fn credential_for(
        &self,
        session: &LiveSession,
        registry: RegistryId,
        what_for: DeliveredFor,
    ) -> Result<Delivery, StoreError> {
        let (now, sensor) = (self.clock.now(), session.sensor);
        let note = |binding: &CredentialBinding| {
            Some(AuditEntry {
                at: now,
                actor: "system".to_owned(),
                action: "credential.deliver".to_owned(),
                object: format!("registry:{registry}"),
                severity: AuditSeverity::Info,
                details: json!({"credential": binding.credential, "version": binding.version, "sensor": sensor}),
            })
        };
        let place = (session.tenant, registry);
        self.store
            .deliver_credential(place, sensor, what_for, now, &note)
            .await
    }

    /// What a probe is carried out with: what it brings, or what its registry has.
    pub async fn credential_for_probe(
        &self,
        session: &LiveSession,
        probe: &NewProbe,
    ) -> Result<Delivery, StoreError> {
        if let Some(trial) = &probe.trial {
            let wrap = trial
                .sealed
                .wraps
                .iter()
                .find(|wrap| wrap.recipient() == session.sensor);
            return Ok(wrap.map_or(Delivery::NotForIt, |wrap| {
                Delivery::Sealed(Box::new(SealedForOne {
                    binding: trial.binding.clone(),
                    payload: trial.sealed.payload.clone(),
                    wrap: wrap.clone(),
                }))
            }));
        }
        match probe.registry {
            Some(registry) if probe.target.credential.is_none() => {
                self.credential_for(session, registry, DeliveredFor::Probe(probe.id))
                    .await
            }
            Some(_) | None => Ok(Delivery::NoneNeeded),
        }
    }

    /// A sensor refused the credential that it was given. Nobody but the control plane can have given it a wrong one.
    pub(in crate::app) async fn note_refused_credential(&self, fence: &Fence, finding: &Finding) {
        if finding.code != FindingCode::CredentialRefused {
            return;
        }
        let entry = AuditEntry {
            at: self.clock.now(),
            actor: format!("sensor:{}", fence.sensor),
            action: Reason::CredentialRefused.as_str().replace('_', "."),
            object: format!("run:{}", fence.attempt.run),
            severity: AuditSeverity::High,
            details: json!({"seen": finding.seen}),
        };
        self.note(fence.tenant, entry).await;
    }
}
