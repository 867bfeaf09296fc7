//! Credentials as people see them: what they are bound to and who can open them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use portolan_shared::model::{Finding, FindingCode, RunState, SensorId, SensorState};
use portolan_shared::secret::sealed::UnixSecond;
use portolan_store::{
    CredentialRecord, NewRegistry, Page, PageRequest, Role, RunRecord, SealedRecord, WrapRecord,
};

use crate::app::{App, AppError, Caller};

/// Where a credential is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialState {
    /// It can be used, and has been unless it is a reference.
    Ready,
    /// A sensor that is assigned to the registry cannot open it.
    AwaitingSealing,
    /// The registry is at another address than the one that it is bound to.
    EnterAgain,
    /// It has not been used with success yet.
    AwaitingTrial,
}

impl CredentialState {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::AwaitingSealing => "awaiting_sealing",
            Self::EnterAgain => "enter_again",
            Self::AwaitingTrial => "awaiting_trial",
        }
    }
}

/// What a sensor has to do with a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecipientState {
    /// It can open it.
    Sealed,
    /// It should be able to, and is not.
    AwaitingSealing,
    /// It can, with a key that is not its latest.
    OutdatedKey,
    /// It could, and should not know it any more.
    RotateAtRegistry,
    /// It has it on its own machine, at the place that the reference names.
    Local,
}

impl RecipientState {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sealed => "sealed",
            Self::AwaitingSealing => "awaiting_sealing",
            Self::OutdatedKey => "outdated_key",
            Self::RotateAtRegistry => "rotate_at_registry",
            Self::Local => "local",
        }
    }

    fn of(wrap: &WrapRecord, assigned: bool) -> Self {
        // Another generation: its state may have existed twice, and then somebody else may know what it knew.
        if !assigned || wrap.sensor_state == SensorState::Revoked || !wrap.key_is_good {
            Self::RotateAtRegistry
        } else if wrap.key_is_latest {
            Self::Sealed
        } else {
            Self::OutdatedKey
        }
    }
}

/// A sensor, and what it has to do with a credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecipientShown {
    /// Which.
    pub sensor: SensorId,
    /// Its name.
    pub name: String,
    /// What.
    pub state: RecipientState,
    /// Since when it can open it.
    pub since: Option<Timestamp>,
}

impl RecipientShown {
    fn can_open(&self) -> bool {
        matches!(self.state, RecipientState::Sealed | RecipientState::OutdatedKey)
    }
}

/// A credential.
#[derive(Debug, Clone, PartialEq)]
pub struct CredentialShown {
    /// Of which registry; with its reference, if it is one.
    pub registry: NewRegistry,
    /// The version in use, if it is sealed.
    pub sealed: Option<SealedRecord>,
    /// When it ends: as whoever entered it said, or else as a sensor saw it at the registry.
    pub expires_at: Option<Timestamp>,
    /// When a sensor was last given it, or began to read with it.
    pub last_used_at: Option<Timestamp>,
    /// Where it is in its life.
    pub state: CredentialState,
    /// Sensors that are assigned, in their order, and then those that could open it besides.
    pub recipients: Vec<RecipientShown>,
}

impl App {
    /// The credential of a registry, by its name or id.
    pub async fn credential(&self, caller: &Caller, registry: &str) -> Result<CredentialShown, AppError> {
        caller.require(Role::Viewer)?;
        let registry = self.registry(caller, registry).await?.registry;
        let found = self.store.credential(caller.tenant, registry.id).await?;
        let found = found.ok_or_else(|| AppError::not_found("credential of registry", &registry.name))?;
        let names = self.sensor_names(caller, sensors(&found)).await?;
        Ok(shown(found, &names))
    }

    /// The credentials of the tenant's registries, by the registries' names.
    pub async fn credentials(
        &self,
        caller: &Caller,
        page: &PageRequest,
    ) -> Result<Page<CredentialShown>, AppError> {
        caller.require(Role::Viewer)?;
        let found = self.store.credentials(caller.tenant, page).await?;
        let names = self
            .sensor_names(caller, found.items.iter().flat_map(sensors))
            .await?;
        Ok(Page {
            items: found
                .items
                .into_iter()
                .map(|record| shown(record, &names))
                .collect(),
            next: found.next,
        })
    }
}

impl App {
    /// Says of a run that waits whether it does because none of its registry's sensors can open the credential.
    pub(in crate::app) async fn with_obstacle(
        &self,
        caller: &Caller,
        run: RunRecord,
    ) -> Result<RunRecord, AppError> {
        if run.state != RunState::Queued || run.finding.is_some() {
            return Ok(run);
        }
        let Some(record) = self.store.credential(caller.tenant, run.registry).await? else {
            return Ok(run);
        };
        let names = self.sensor_names(caller, sensors(&record)).await?;
        let shown = shown(record, &names);
        let seen = match shown.state {
            CredentialState::EnterAgain => {
                "the registry has moved: the credential has to be entered again".to_owned()
            }
            CredentialState::AwaitingSealing if !shown.recipients.iter().any(RecipientShown::can_open) => {
                let assigned = shown
                    .recipients
                    .iter()
                    .filter(|one| shown.registry.sensors.contains(&one.sensor));
                let assigned: Vec<_> = assigned.map(|one| one.name.as_str()).collect();
                format!("awaiting sealing for {}", assigned.join(", "))
            }
            _ => return Ok(run),
        };
        let finding = Finding::new(FindingCode::CredentialAwaitsSealing, &seen);
        Ok(RunRecord {
            finding: Some(finding),
            ..run
        })
    }
}

fn sensors(record: &CredentialRecord) -> impl Iterator<Item = SensorId> {
    let wrapped = record.sealed.iter().flat_map(|sealed| &sealed.wraps);
    let wrapped = wrapped.map(|wrap| wrap.sensor);
    record.registry.sensors.iter().copied().chain(wrapped)
}

fn shown(record: CredentialRecord, names: &BTreeMap<SensorId, String>) -> CredentialShown {
    let CredentialRecord {
        registry,
        last_attempt_at,
        observed_end,
        sealed,
    } = record;
    let recipients = match &sealed {
        Some(sealed) => recipients(&registry, sealed, names),
        None => with_reference(&registry, names),
    };
    let entered_end = sealed.as_ref().and_then(|sealed| sealed.binding.expires_at);
    CredentialShown {
        expires_at: entered_end.map(UnixSecond::timestamp).or(observed_end),
        state: sealed
            .as_ref()
            .map_or(CredentialState::Ready, |sealed| state(&registry, sealed)),
        last_used_at: sealed
            .as_ref()
            .map_or(last_attempt_at, |sealed| sealed.last_used_at),
        registry,
        sealed,
        recipients,
    }
}

fn state(registry: &NewRegistry, sealed: &SealedRecord) -> CredentialState {
    let binding = &sealed.binding;
    let opens = |sensor: &SensorId| {
        let wrap = sealed.wraps.iter().find(|wrap| wrap.sensor == *sensor);
        // One that is revoked is waited for by nobody.
        wrap.is_some_and(|wrap| wrap.key_is_good || wrap.sensor_state == SensorState::Revoked)
    };
    if binding
        .difference_from_registry(registry.tenant, registry.id, &registry.url)
        .is_some()
    {
        CredentialState::EnterAgain
    } else if !registry.sensors.iter().all(opens) {
        CredentialState::AwaitingSealing
    } else if sealed.worked_at.is_none() {
        CredentialState::AwaitingTrial
    } else {
        CredentialState::Ready
    }
}

fn with_reference(registry: &NewRegistry, names: &BTreeMap<SensorId, String>) -> Vec<RecipientShown> {
    let assigned = registry.sensors.iter().map(|sensor| RecipientShown {
        sensor: *sensor,
        name: names.get(sensor).cloned().unwrap_or_default(),
        state: RecipientState::Local,
        since: None,
    });
    assigned.collect()
}

fn recipients(
    registry: &NewRegistry,
    sealed: &SealedRecord,
    names: &BTreeMap<SensorId, String>,
) -> Vec<RecipientShown> {
    let name = |sensor: &SensorId| names.get(sensor).cloned().unwrap_or_default();
    let assigned = registry.sensors.iter().map(|sensor| {
        let wrap = sealed.wraps.iter().find(|wrap| wrap.sensor == *sensor);
        RecipientShown {
            sensor: *sensor,
            name: name(sensor),
            state: wrap.map_or(RecipientState::AwaitingSealing, |wrap| {
                RecipientState::of(wrap, true)
            }),
            since: wrap.map(|wrap| wrap.sealed_at),
        }
    });
    let others = sealed
        .wraps
        .iter()
        .filter(|wrap| !registry.sensors.contains(&wrap.sensor));
    let others = others.map(|wrap| RecipientShown {
        sensor: wrap.sensor,
        name: name(&wrap.sensor),
        state: RecipientState::of(wrap, false),
        since: Some(wrap.sealed_at),
    });
    assigned.chain(others).collect()
}
