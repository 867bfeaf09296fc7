//! Sensors and invitations, as people see them. How a sensor comes into being is `enrolment`.

use std::collections::{BTreeMap, BTreeSet};

use portolan_shared::model::{InvitationId, SensorId, SensorState};
use portolan_store::{AuditSeverity, Invitation, Page, PageRequest, Role, SensorRecord};
use serde_json::json;

use super::{App, AppError, Caller};

/// Seconds since it was last heard of within which a sensor counts as online: twice the time after which a session is dead.
pub const SENSOR_ONLINE_SECONDS: i64 = 90;

impl App {
    /// The tenant's sensors by name.
    pub async fn sensors(&self, caller: &Caller, page: &PageRequest) -> Result<Page<SensorRecord>, AppError> {
        caller.require(Role::Viewer)?;
        Ok(self.store.sensors(caller.tenant, page).await?)
    }

    /// One sensor, by name or id.
    pub async fn sensor(&self, caller: &Caller, name_or_id: &str) -> Result<SensorRecord, AppError> {
        caller.require(Role::Viewer)?;
        self.find_sensor(caller, name_or_id)
            .await?
            .ok_or_else(|| AppError::not_found("sensor", name_or_id))
    }

    /// Whether a sensor is to be shown as connected.
    #[must_use]
    pub fn is_online(&self, sensor: &SensorRecord) -> bool {
        sensor.state == SensorState::Active
            && sensor.last_seen_at.is_some_and(|seen| {
                self.clock.now().as_second().saturating_sub(seen.as_second()) < SENSOR_ONLINE_SECONDS
            })
    }

    /// Shuts a sensor out for good. Revoking one that is revoked changes nothing. Takes an admin.
    pub async fn revoke_sensor(&self, caller: &Caller, name_or_id: &str) -> Result<SensorRecord, AppError> {
        caller.require(Role::Admin)?;
        let sensor = self.sensor(caller, name_or_id).await?;
        let (at, object) = (self.clock.now(), format!("sensor:{}", sensor.id));
        let details = json!({"name": sensor.name});
        let entry = caller.entry(at, "sensor.revoke", object, AuditSeverity::Notice, details);
        let revoked = self
            .store
            .revoke_sensor(caller.tenant, sensor.id, at, &entry)
            .await?;
        if revoked {
            self.signals.denials.notify_one();
            // Its leases went back to the queue.
            self.signals.runs.notify_one();
        }
        self.sensor(caller, &sensor.id.to_string()).await
    }

    /// The tenant's invitations, newest first. Takes an admin, as making them does.
    pub async fn invitations(
        &self,
        caller: &Caller,
        page: &PageRequest,
    ) -> Result<Page<Invitation>, AppError> {
        caller.require(Role::Admin)?;
        Ok(self
            .store
            .invitations(caller.tenant, self.clock.now(), page)
            .await?)
    }

    /// Withdraws an invitation that has not been used. Takes an admin.
    ///
    /// # Errors
    /// [`AppError::NotFound`] if the tenant has no such open invitation.
    pub async fn revoke_invitation(&self, caller: &Caller, id: InvitationId) -> Result<(), AppError> {
        caller.require(Role::Admin)?;
        let (at, object) = (self.clock.now(), format!("invitation:{id}"));
        let entry = caller.entry(at, "invitation.revoke", object, AuditSeverity::Notice, json!({}));
        if !self
            .store
            .revoke_invitation(caller.tenant, id, at, &entry)
            .await?
        {
            return Err(AppError::not_found("invitation", id));
        }
        Ok(())
    }

    /// Names of sensors by their ids; those that do not exist are left out.
    pub async fn sensor_names(
        &self,
        caller: &Caller,
        ids: impl IntoIterator<Item = SensorId>,
    ) -> Result<BTreeMap<SensorId, String>, AppError> {
        caller.require(Role::Viewer)?;
        let mut names = BTreeMap::new();
        for id in ids.into_iter().collect::<BTreeSet<_>>() {
            if let Some(sensor) = self.store.sensor(caller.tenant, id).await? {
                names.insert(id, sensor.name);
            }
        }
        Ok(names)
    }

    /// An id is tried first: a sensor cannot hide behind another one's id as its name.
    pub(super) async fn find_sensor(
        &self,
        caller: &Caller,
        name_or_id: &str,
    ) -> Result<Option<SensorRecord>, AppError> {
        if let Ok(id) = name_or_id.parse::<SensorId>()
            && let Some(sensor) = self.store.sensor(caller.tenant, id).await?
        {
            return Ok(Some(sensor));
        }
        Ok(self.store.sensor_by_name(caller.tenant, name_or_id).await?)
    }
}
