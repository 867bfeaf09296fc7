//! Credentials on their way to the one sensor that needs them, looked up at the moment when the message leaves.

use jiff::Timestamp;
use portolan_shared::model::{Finding, FindingCode, RegistryId, SensorId};
use portolan_shared::secret::sealed::CredentialBinding;
use portolan_store::{AuditEntry, AuditSeverity, DeliveredFor, Delivery, Fence, NewProbe, StoreError};
use serde_json::json;

use crate::app::{App, Grant, SensorNote};

impl App {
    /// What the sensor of a session is to read a registry with.
    pub async fn credential_for(
        &self,
        grant: Grant<'_>,
        registry: RegistryId,
        what_for: DeliveredFor,
    ) -> Result<Delivery, StoreError> {
        let session = grant.session();
        let (now, sensor) = (self.clock.now(), session.sensor);
        let note = |binding: &CredentialBinding| Some(delivered(now, binding, sensor, json!({})));
        let place = (session.tenant, registry);
        self.store
            .deliver_credential(place, sensor, what_for, now, &note)
            .await
    }

    /// What a probe is carried out with: what it brings, or what its registry has.
    pub async fn credential_for_probe(
        &self,
        grant: Grant<'_>,
        probe: &NewProbe,
    ) -> Result<Delivery, StoreError> {
        let session = grant.session();
        if probe.trial.is_some() {
            let (now, sensor) = (self.clock.now(), session.sensor);
            let note = |binding: &CredentialBinding| {
                let details = json!({"probe": probe.id, "trial": true});
                Some(delivered(now, binding, sensor, details))
            };
            let probe = (session.tenant, probe.id);
            return self.store.deliver_trial(probe, sensor, now, &note).await;
        }
        match probe.registry {
            Some(registry) if probe.target.credential.is_none() => {
                self.credential_for(grant, registry, DeliveredFor::Probe(probe.id))
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
        let refused = SensorNote {
            action: "credential.refused",
            object: format!("run:{}", fence.attempt.run),
            severity: AuditSeverity::High,
            details: json!({"seen": finding.seen}),
        };
        self.note_of_sensor(fence.tenant, fence.sensor, refused).await;
    }
}

/// The entry for a credential that a sensor was given; `details` has more than credential, version and sensor.
fn delivered(
    at: Timestamp,
    binding: &CredentialBinding,
    sensor: SensorId,
    mut details: serde_json::Value,
) -> AuditEntry {
    details["credential"] = json!(binding.credential);
    details["version"] = json!(binding.version);
    details["sensor"] = json!(sensor);
    AuditEntry {
        at,
        actor: "system".to_owned(),
        action: "credential.deliver".to_owned(),
        object: format!("registry:{}", binding.registry),
        severity: AuditSeverity::Info,
        details,
    }
}
