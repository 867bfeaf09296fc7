//! Registries by name or id.

use portolan_shared::model::{RegistryId, RegistryName, SensorId};
use portolan_store::{Page, PageRequest, RegistryRecord, Role};

use crate::app::{App, AppError, Caller};

/// Sensors that may be assigned to one registry: refused above.
const SENSORS: usize = 16;

impl App {
    /// The tenant's registries by name.
    pub async fn registries(
        &self,
        caller: &Caller,
        page: &PageRequest,
    ) -> Result<Page<RegistryRecord>, AppError> {
        caller.require(Role::Viewer)?;
        Ok(self.store.registries(caller.tenant, page).await?)
    }

    /// One registry, by name or id.
    pub async fn registry(&self, caller: &Caller, name_or_id: &str) -> Result<RegistryRecord, AppError> {
        caller.require(Role::Viewer)?;
        self.find_registry(caller, name_or_id)
            .await?
            .ok_or_else(|| AppError::not_found("registry", name_or_id))
    }

    pub(in crate::app) async fn find_registry(
        &self,
        caller: &Caller,
        name_or_id: &str,
    ) -> Result<Option<RegistryRecord>, AppError> {
        if let Ok(id) = name_or_id.parse::<RegistryId>()
            && let Some(registry) = self.store.registry(caller.tenant, id).await?
        {
            return Ok(Some(registry));
        }
        match name_or_id.parse::<RegistryName>() {
            Ok(name) => Ok(self.store.registry_by_name(caller.tenant, &name).await?),
            // What cannot be a name does not exist.
            Err(_) => Ok(None),
        }
    }

    pub(in crate::app) async fn sensor_ids(
        &self,
        caller: &Caller,
        names: &[String],
    ) -> Result<Vec<SensorId>, AppError> {
        if names.is_empty() || names.len() > SENSORS {
            return Err(AppError::invalid(
                "sensors",
                format!("expected 1 to {SENSORS} sensors"),
            ));
        }
        let mut ids = Vec::with_capacity(names.len());
        for name in names {
            let sensor = self
                .find_sensor(caller, name)
                .await?
                .ok_or_else(|| AppError::UnknownReference {
                    what: "sensor",
                    name: name.clone(),
                })?;
            if ids.contains(&sensor.id) {
                return Err(AppError::invalid("sensors", format!("{name:?} stands twice")));
            }
            ids.push(sensor.id);
        }
        Ok(ids)
    }
}
