//! Whether everything of a tenant is well.

use std::collections::BTreeMap;

use jiff::Timestamp;
use portolan_shared::model::{SensorId, SensorState};
use portolan_store::{AssignedSensor, PageRequest, RegistryPulse, Role};

use super::attention::{Attention, Subject};
use super::concern::Concern;
use super::registry::{judge_registry, seen_at};
use super::sensor::{SensorDuties, is_heard, sensor_concerns};
use super::webhook::webhook_concerns;
use crate::app::{App, AppError, Caller};

/// How many there are, and how many need attention.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// All.
    pub total: u64,
    /// Those of which something is to be said, other than advice.
    pub attention: u64,
}

impl Tally {
    fn count(&mut self, concerns: &[Concern]) {
        self.total += 1;
        if concerns.iter().any(|concern| concern.rank.needs_attention()) {
            self.attention += 1;
        }
    }
}

/// Whether everything of a tenant is well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// What is to be said, the most important first.
    pub attention: Vec<(Subject, Concern)>,
    /// How much more there is to be said.
    pub more: u64,
    /// The tenant's registries.
    pub registries: Tally,
    /// The tenant's sensors, without those that were revoked.
    pub sensors: Tally,
    /// The tenant's webhooks.
    pub webhooks: Tally,
    /// Registries that were never seen as a whole, or not since it was changed what is to be seen of them.
    pub never_complete: u64,
    /// The last success that was longest ago, of all registries but those.
    pub oldest_success_at: Option<Timestamp>,
    /// As of when.
    pub at: Timestamp,
}

impl Status {
    /// Whether there is nothing to be seen to: advice does not count.
    #[must_use]
    pub fn is_well(&self) -> bool {
        [self.registries, self.sensors, self.webhooks]
            .iter()
            .all(|tally| tally.attention == 0)
    }

    /// Seconds since the last success that was longest ago.
    #[must_use]
    pub fn oldest_success_age_seconds(&self) -> Option<u64> {
        self.oldest_success_at.map(|at| super::state::age(at, self.at))
    }
}

/// What is gathered on the way.
struct Gathering {
    now: Timestamp,
    attention: Attention,
    duties: BTreeMap<SensorId, SensorDuties>,
    registries: Tally,
    never_complete: u64,
    oldest_success_at: Option<Timestamp>,
}

impl Gathering {
    fn take(&mut self, pulse: &RegistryPulse) {
        let (_, concerns) = judge_registry(pulse, self.now);
        self.registries.count(&concerns);
        match seen_at(pulse) {
            Some(at) => {
                let oldest = self.oldest_success_at.map_or(at, |oldest| oldest.min(at));
                self.oldest_success_at = Some(oldest);
            }
            None => self.never_complete += 1,
        }
        let usable = |sensor: &AssignedSensor| {
            sensor.state == SensorState::Active && sensor.can_open && is_heard(sensor.last_seen_at, self.now)
        };
        let alone = !pulse.sensors.iter().any(usable);
        for sensor in &pulse.sensors {
            let duties = self.duties.entry(sensor.sensor).or_default();
            duties.add(pulse.name.as_str(), alone, pulse.queued);
        }
        self.attention
            .add(&Subject::Registry(pulse.name.to_string()), concerns);
    }
}

impl App {
    /// Whether everything of the tenant is well, and if not, what is to be done first. Takes some questions to the store for each thousand
    /// registries, and for each thousand sensors.
    pub async fn status(&self, caller: &Caller) -> Result<Status, AppError> {
        caller.require(Role::Viewer)?;
        let now = self.clock.now();
        let mut gathering = Gathering {
            now,
            attention: Attention::default(),
            duties: BTreeMap::new(),
            registries: Tally::default(),
            never_complete: 0,
            oldest_success_at: None,
        };
        let mut page = whole_page();
        loop {
            let found = self.store.all_registry_pulses(caller.tenant, &page).await?;
            // What their schedules let happen may be much to reckon: off the reactor.
            let gathered = tokio::task::spawn_blocking(move || {
                for pulse in &found.items {
                    gathering.take(pulse);
                }
                gathering
            });
            gathering = gathered
                .await
                .map_err(|error| AppError::Internal(Box::new(error)))?;
            page.after = found.next;
            if page.after.is_none() {
                break;
            }
        }
        let held = self.store.held_runs(caller.tenant).await?;
        let mut sensors = Tally::default();
        let mut page = whole_page();
        loop {
            let found = self.store.sensors(caller.tenant, &page).await?;
            let present = found
                .items
                .iter()
                .filter(|sensor| sensor.state != SensorState::Revoked);
            for record in present {
                let duties = gathering.duties.remove(&record.id).unwrap_or_default();
                let concerns = sensor_concerns(record, &duties, &held, now);
                sensors.count(&concerns);
                gathering
                    .attention
                    .add(&Subject::Sensor(record.name.clone()), concerns);
            }
            page.after = found.next;
            if page.after.is_none() {
                break;
            }
        }
        let mut webhooks = Tally::default();
        let mut page = whole_page();
        loop {
            let found = self.store.webhooks(caller.tenant, &page).await?;
            for record in &found.items {
                let concerns = webhook_concerns(record, now);
                webhooks.count(&concerns);
                gathering
                    .attention
                    .add(&Subject::Webhook(record.name.to_string()), concerns);
            }
            page.after = found.next;
            if page.after.is_none() {
                break;
            }
        }
        let (attention, more) = gathering.attention.finish();
        Ok(Status {
            attention,
            more,
            registries: gathering.registries,
            sensors,
            webhooks,
            never_complete: gathering.never_complete,
            oldest_success_at: gathering.oldest_success_at,
            at: now,
        })
    }
}

fn whole_page() -> PageRequest {
    PageRequest {
        limit: PageRequest::MAX,
        after: None,
    }
}
