//! The secrets that registries show at the doors.

use data_encoding::HEXLOWER;
use portolan_shared::events::WebhookSecret;
use portolan_shared::model::{RegistryId, TenantId};
use portolan_shared::secret::Secret;
use portolan_store::{EventCount, RegistryRecord, Role};

use crate::app::{App, AppError, Caller, Pepper};

/// Where a registry can send its notifications, and what it has to show.
#[derive(Debug)]
pub struct RegistryWebhook {
    /// The registry.
    pub record: RegistryRecord,
    /// What it shows at the control plane's own door.
    pub secret: WebhookSecret,
    /// What it shows at the listener of a sensor: the sensor's administrator puts it there.
    pub listener_secret: WebhookSecret,
    /// The sensors of the registry that listen, with where.
    pub listeners: Vec<(String, String)>,
    /// What came in so far.
    pub counts: Vec<EventCount>,
}

impl App {
    /// Where a registry can send its notifications, with the secrets. Takes an operator.
    pub async fn registry_webhook(
        &self,
        caller: &Caller,
        registry: &str,
    ) -> Result<RegistryWebhook, AppError> {
        caller.require(Role::Operator)?;
        let record = self.registry(caller, registry).await?;
        let (tenant, id) = (caller.tenant, record.registry.id);
        let mut listeners = Vec::new();
        for sensor in &record.registry.sensors {
            let sensor = self.store.sensor(tenant, *sensor).await?;
            listeners.extend(sensor.and_then(|sensor| Some((sensor.name, sensor.notify_url?))));
        }
        Ok(RegistryWebhook {
            secret: derived(&self.pepper, DOOR, tenant, id),
            listener_secret: derived(&self.pepper, LISTENER, tenant, id),
            listeners,
            counts: self.event_counts(caller, &record).await?,
            record,
        })
    }

    /// What came in for a registry of the caller's tenant so far.
    pub async fn event_counts(
        &self,
        caller: &Caller,
        record: &RegistryRecord,
    ) -> Result<Vec<EventCount>, AppError> {
        Ok(self.store.event_counts(caller.tenant, record.registry.id).await?)
    }
}

/// Of the control plane's own door.
pub(super) const DOOR: &str = "registry webhook";
/// Of sensors' listeners. Another one, so that who reads a sensor's disk cannot knock at the control plane.
const LISTENER: &str = "registry notification";

/// The secret of a registry for one purpose: 64 hexadecimal digits. It follows from the pepper and the registry's id, so that it is stored
/// nowhere, and whoever has only the database does not have it.
pub(super) fn derived(
    pepper: &Pepper,
    purpose: &'static str,
    tenant: TenantId,
    registry: RegistryId,
) -> WebhookSecret {
    let mut ids = [0; 32];
    ids[..16].copy_from_slice(tenant.as_bytes());
    ids[16..].copy_from_slice(registry.as_bytes());
    let digits = Secret::new(HEXLOWER.encode(&pepper.hash(purpose, &ids).0));
    WebhookSecret::new(digits).expect("64 hexadecimal digits are within all bounds")
}

#[cfg(test)]
mod tests {
    use super::*;
    use portolan_shared::process::SeededRng;
    use portolan_shared::secret::SecretBytes;

    #[test]
    fn secrets_differ_by_registry_and_purpose_and_stay() {
        let rng = SeededRng::new(5);
        let pepper = Pepper::new(&SecretBytes::new(vec![3; 32]));
        let (tenant, one, other) = (
            TenantId::random(&rng),
            RegistryId::random(&rng),
            RegistryId::random(&rng),
        );
        let secret = |purpose, registry| derived(&pepper, purpose, tenant, registry).expose().to_owned();
        assert_eq!(secret(DOOR, one), secret(DOOR, one));
        assert_ne!(secret(DOOR, one), secret(DOOR, other));
        assert_ne!(secret(DOOR, one), secret(LISTENER, one));
        assert_eq!(secret(DOOR, one).len(), 64);
    }
}
