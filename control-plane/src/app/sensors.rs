//! Sensors and invitations, as people see them. How a sensor comes into being is `enrolment`.

use std::collections::{BTreeMap, BTreeSet};

use data_encoding::HEXLOWER;
use jiff::{SignedDuration, Timestamp};
use portolan_shared::model::{InvitationId, SensorId, SensorState};
use portolan_store::{
    AuditOrder, AuditRecord, AuditSeverity, Invitation, Page, PageRequest, Role, SensorRecord, StandingChange,
};
use serde_json::json;

use super::{App, AppError, Caller};

/// Seconds since it was last heard of within which a sensor counts as online: twice the time after which a session is dead.
pub const SENSOR_ONLINE_SECONDS: i64 = 90;

/// How long an approval waits for the sensor to come.
const APPROVED_FOR: SignedDuration = SignedDuration::from_hours(24);

/// What a person wants a sensor's standing to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WantedStanding {
    /// Shut out until it is resumed.
    Suspended,
    /// Let in again after a suspension.
    Resumed,
    /// Let in again after a quarantine, or although it was away for too long: within 24 hours it may recover without questions, until it has
    /// opened a session.
    Approved {
        /// Only the machine that says this of itself; none: whoever comes first.
        fingerprint: Option<[u8; 16]>,
    },
    /// Shut out for good.
    Revoked,
    /// Gone from sight, after it was revoked. Its name is free then; its id and its key are not, for 400 days.
    Deleted,
}

impl WantedStanding {
    fn role(self) -> Role {
        match self {
            Self::Suspended | Self::Resumed => Role::Operator,
            Self::Approved { .. } | Self::Revoked | Self::Deleted => Role::Admin,
        }
    }

    fn is_given(self, state: SensorState) -> bool {
        matches!(
            (self, state),
            (Self::Suspended, SensorState::Suspended) | (Self::Revoked, SensorState::Revoked)
        )
    }

    fn change(self, now: Timestamp) -> StandingChange {
        match self {
            Self::Suspended => StandingChange::Suspend,
            Self::Resumed => StandingChange::Resume,
            Self::Approved { fingerprint } => StandingChange::Approve {
                until: now + APPROVED_FOR,
                fingerprint,
            },
            Self::Revoked => StandingChange::Revoke,
            Self::Deleted => StandingChange::Delete,
        }
    }

    fn action(self) -> &'static str {
        match self {
            Self::Suspended => "sensor.suspend",
            Self::Resumed => "sensor.resume",
            Self::Approved { .. } => "sensor.approve",
            Self::Revoked => "sensor.revoke",
            Self::Deleted => "sensor.delete",
        }
    }

    fn demand(self) -> &'static str {
        match self {
            Self::Suspended => "only one that is provisional or active can be suspended",
            Self::Resumed => "only one that is suspended can be resumed",
            Self::Approved { .. } => {
                "only one that is quarantined, provisional or active can be approved; resume one that is suspended"
            }
            Self::Revoked => "it cannot be revoked",
            Self::Deleted => "only one that is revoked can be deleted",
        }
    }
}

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

    /// Changes a sensor's standing. What changes nothing (revoking one that is revoked) is no error. Takes an operator, and an admin for what
    /// cannot be taken back or lets in somebody who may be an impostor. To approve a contested sensor says besides that the right machine was enrolled.
    ///
    /// # Errors
    /// [`AppError::Standing`] if the sensor's state does not allow it.
    pub async fn change_standing(
        &self,
        caller: &Caller,
        name_or_id: &str,
        wanted: WantedStanding,
    ) -> Result<SensorRecord, AppError> {
        caller.require(wanted.role())?;
        let sensor = self.sensor(caller, name_or_id).await?;
        if wanted.is_given(sensor.state) {
            return Ok(sensor);
        }
        let at = self.clock.now();
        let change = wanted.change(at);
        let (action, object) = (wanted.action(), format!("sensor:{}", sensor.id));
        let mut details = json!({"name": sensor.name, "was": sensor.state.as_str()});
        if let WantedStanding::Approved { fingerprint } = wanted {
            details["settles_contest"] = json!(sensor.contested);
            details["fingerprint"] = json!(fingerprint.map(|bytes| HEXLOWER.encode(&bytes)));
        }
        let entry = caller.entry(at, action, object, AuditSeverity::Notice, details);
        let changed = self
            .store
            .change_standing(caller.tenant, sensor.id, change, at, &entry)
            .await?;
        if !changed {
            return Err(AppError::Standing {
                sensor: sensor.name,
                state: sensor.state,
                demand: wanted.demand(),
            });
        }
        self.signals.denials.notify_one();
        // Its leases went back to the queue, or it can have some again.
        self.signals.runs.notify_one();
        if wanted == WantedStanding::Deleted {
            return Ok(sensor);
        }
        self.sensor(caller, &sensor.id.to_string()).await
    }

    /// All that happened to a sensor's identity: its invitation and what was refused on that, how it came to be, certificates,
    /// conflicts, what people decided.
    pub async fn sensor_story(
        &self,
        caller: &Caller,
        name_or_id: &str,
        order: AuditOrder,
        page: &PageRequest,
    ) -> Result<Page<AuditRecord>, AppError> {
        let sensor = self.sensor(caller, name_or_id).await?;
        let mut objects = vec![format!("sensor:{}", sensor.id)];
        let invitation = self.store.invitation_of(caller.tenant, sensor.id).await?;
        objects.extend(invitation.map(|id| format!("invitation:{id}")));
        Ok(self.store.audit_of(caller.tenant, &objects, order, page).await?)
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
