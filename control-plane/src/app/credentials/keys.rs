//! Sealing keys: published by sensors, renewed with what is sealed to them.

use jiff::SignedDuration;
use portolan_shared::model::{CredentialId, Reason, limits};
use portolan_shared::secret::sealed::{
    IdentityPublicKey, SealedForOne, SealingKeyId, SignedSealingKey, StatementError, Wrap,
};
use portolan_shared::tls::PeerIdentity;
use portolan_store::{
    AuditEntry, AuditSeverity, PublishOutcome, Role, SealingKeyRecord, SensorRecord, StoreError,
};
use serde_json::json;

use crate::app::{App, AppError, Caller};

/// Longest life of a sealing key. A sensor makes a new one every 30 days; clocks differ.
pub const SEALING_KEY_LIFE: SignedDuration = SignedDuration::from_hours(30 * 24 + 1);

/// Why a sealing key was not taken.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// Not said by this sensor's identity key, or of another sensor.
    #[error("the statement is not this sensor's")]
    Statement(#[from] StatementError),
    /// It has ended, or would live for too long.
    #[error("a sealing key ends within 30 days")]
    Life,
    /// The sensor may not have one now.
    #[error("the sealing key was not taken: {0}")]
    Refused(Reason),
    /// The database failed.
    #[error("the sealing key could not be stored")]
    Store(#[from] StoreError),
}

impl App {
    /// The latest sealing key of a sensor, by name or id.
    ///
    /// # Errors
    /// [`AppError::NotFound`] also until the sensor has published one since its state was last known to be its own.
    pub async fn sealing_key(
        &self,
        caller: &Caller,
        name_or_id: &str,
    ) -> Result<(SensorRecord, SealingKeyRecord), AppError> {
        caller.require(Role::Viewer)?;
        let sensor = self.sensor(caller, name_or_id).await?;
        let mut keys = self.store.sealing_keys(caller.tenant, &[sensor.id]).await?;
        match keys.remove(&sensor.id) {
            Some(key) => Ok((sensor, key)),
            None => Err(AppError::not_found("sealing key of sensor", sensor.name)),
        }
    }

    /// Takes a sealing key, if the sensor's identity key says that it is its own and it is of its present generation. `rate` is asked only
    /// for one that is news.
    pub async fn publish_sealing_key(
        &self,
        identity: &PeerIdentity,
        key: &SignedSealingKey,
        rate: impl FnOnce() -> Result<(), PublishError> + Send,
    ) -> Result<u32, PublishError> {
        let (tenant, sensor) = (identity.tenant, identity.sensor);
        let held = self.store.sensor(tenant, sensor).await?;
        let held = held.ok_or(PublishError::Refused(Reason::IdentityUnknown))?;
        let said = key.verify(&IdentityPublicKey(held.identity_public_key), tenant, sensor)?;
        let now = self.clock.now();
        let ends = said.not_after.timestamp();
        if ends <= now || ends.duration_since(now) > SEALING_KEY_LIFE {
            return Err(PublishError::Life);
        }
        let known = self.store.sealing_keys(tenant, &[sensor]).await?;
        if known.get(&sensor).is_none_or(|known| known.signed != *key) {
            rate()?;
            let entry = AuditEntry {
                at: now,
                actor: format!("sensor:{sensor}"),
                action: "sensor.sealing_key".to_owned(),
                object: format!("sensor:{sensor}"),
                severity: AuditSeverity::Info,
                details: json!({"key": said.key_id().to_string(), "not_after": ends, "generation": said.generation}),
            };
            match self.store.publish_key(key, now, &entry).await? {
                PublishOutcome::Published | PublishOutcome::Known => {}
                // It has another generation since: its next session tells it so.
                PublishOutcome::Refused => return Err(PublishError::Refused(Reason::StaleSession)),
            }
        }
        let outdated = self.outdated_wraps(identity).await?;
        Ok(u32::try_from(outdated.len()).unwrap_or(u32::MAX))
    }

    /// What is sealed to older keys of a sensor, at most [`limits::OUTDATED_WRAPS`].
    pub async fn outdated_wraps(&self, identity: &PeerIdentity) -> Result<Vec<SealedForOne>, StoreError> {
        let limit = u32::try_from(limits::OUTDATED_WRAPS).unwrap_or(u32::MAX);
        let (tenant, sensor) = (identity.tenant, identity.sensor);
        self.store.outdated_wraps(tenant, sensor, limit).await
    }

    /// Puts a sensor's own wrap for its latest key in the place of an older one; `false` if that is not there any more.
    pub async fn rewrap(
        &self,
        identity: &PeerIdentity,
        (credential, version): (CredentialId, u64),
        replaced: SealingKeyId,
        wrap: &Wrap,
    ) -> Result<bool, StoreError> {
        let sensor = identity.sensor;
        if wrap.recipient() != sensor {
            return Ok(false);
        }
        let entry = AuditEntry {
            at: self.clock.now(),
            actor: format!("sensor:{sensor}"),
            action: "credential.rewrap".to_owned(),
            object: format!("credential:{credential}"),
            severity: AuditSeverity::Info,
            details: json!({
                "version": version, "from": replaced.to_string(), "to": wrap.sealing_key().to_string(),
            }),
        };
        let version = (credential, version);
        self.store
            .rewrap(identity.tenant, version, replaced, wrap, &entry)
            .await
    }
}
