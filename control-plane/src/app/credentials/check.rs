//! What a sealed version must be, as far as that can be seen from outside.

use std::collections::BTreeSet;

use portolan_shared::model::{RegistryId, RegistryUrl, SensorId, SensorState};
use portolan_shared::secret::sealed::Wrap;
use portolan_store::SealedVersion;

use crate::app::{App, AppError, Caller};

impl App {
    /// That a version is bound to this registry at this address, and sealed to the latest keys of sensors of the tenant.
    pub(in crate::app) async fn check_sealed(
        &self,
        caller: &Caller,
        version: &SealedVersion,
        registry: RegistryId,
        url: &RegistryUrl,
    ) -> Result<(), AppError> {
        if let Some(field) = version
            .binding
            .difference_from_registry(caller.tenant, registry, url)
        {
            return Err(AppError::invalid(
                "binding",
                format!("it is bound to another {}", field.as_str()),
            ));
        }
        if version.binding.version == 0 {
            return Err(AppError::invalid("binding", "versions count from 1"));
        }
        let wraps = &version.sealed.wraps;
        let recipients: Vec<SensorId> = wraps.iter().map(Wrap::recipient).collect();
        if recipients.iter().collect::<BTreeSet<_>>().len() < recipients.len() {
            return Err(AppError::invalid("wraps", "a sensor stands twice"));
        }
        let latest = self.store.sealing_keys(caller.tenant, &recipients).await?;
        let now = self.clock.now();
        for wrap in wraps {
            let sensor = wrap.recipient();
            let held = self.store.sensor(caller.tenant, sensor).await?;
            let held = held.filter(|held| held.state != SensorState::Revoked);
            let held = held.ok_or_else(|| AppError::UnknownReference {
                what: "sensor",
                name: sensor.to_string(),
            })?;
            let key = latest.get(&sensor).map(|key| key.signed.unverified());
            let fits =
                key.is_some_and(|key| key.key_id() == wrap.sealing_key() && key.not_after.timestamp() > now);
            if !fits {
                return Err(AppError::invalid(
                    "wraps",
                    format!(
                        "the one for {} is not for its latest sealing key: fetch that, and seal again",
                        held.name
                    ),
                ));
            }
        }
        Ok(())
    }
}
