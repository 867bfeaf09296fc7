//! Events that a sensor was told of.

use std::collections::BTreeMap;

use jiff::Timestamp;
use portolan_shared::model::{EventAction, EventSubject, RegistryName, RelayedEvents, RepositoryName};
use portolan_store::{EventDoor, EventIntake, StoreError};

use super::answered::{By, Outcome, Refused};
use super::wanted::is_wanted;
use crate::app::{App, LiveSession};

/// What came for one name.
#[derive(Default)]
struct Heard {
    subjects: Vec<(EventSubject, u32)>,
    named_at: BTreeMap<RepositoryName, Timestamp>,
    ignored: u64,
    refused: u64,
    last_refused: Option<String>,
}

impl App {
    /// Takes what a sensor relays: durable when this returns. Gives the names that are of no registry of the tenant that this sensor may
    /// read; of those nothing is taken.
    ///
    /// What the database does not accept of a name would come again for ever, and nothing else would come through: in its place the whole registry is to
    /// be looked at.
    ///
    /// # Errors
    ///
    /// What came for a name, and a look at its whole registry in its place, could not be noted: the same events are to come again. Those of other
    /// names are noted all the same, and may be noted twice.
    pub async fn take_relayed_events(
        &self,
        session: &LiveSession,
        relayed: RelayedEvents,
    ) -> Result<Vec<String>, StoreError> {
        let mut unknown = Vec::new();
        let mut failed = None;
        let (names, elsewhere) = by_name(relayed);
        self.relayed(Outcome::Refused(Refused::AtSensor), elsewhere);
        for (name, heard) in names {
            let came = heard.events();
            match self.take_of_name(session, &name, heard).await {
                Ok(true) => {}
                Ok(false) => {
                    self.relayed(Outcome::Refused(Refused::UnknownRegistry), came);
                    unknown.push(name.to_string());
                }
                Err(error) => {
                    self.relayed(Outcome::Refused(Refused::NotNoted), came);
                    tracing::error!(
                        sensor = %session.sensor,
                        registry = %name,
                        error = &error as &dyn std::error::Error,
                        "the events of a registry were not taken: they are to come again"
                    );
                    failed = Some(error);
                }
            }
        }
        self.signals.schedule.notify_one();
        failed.map_or(Ok(unknown), Err)
    }

    /// Takes what came for one name; gives whether it is of a registry that this sensor may read.
    async fn take_of_name(
        &self,
        session: &LiveSession,
        name: &RegistryName,
        mut heard: Heard,
    ) -> Result<bool, StoreError> {
        let registry = self.store.registry_by_name(session.tenant, name).await?;
        let known = registry.filter(|record| record.registry.sensors.contains(&session.sensor));
        let Some(known) = known.map(|record| record.registry) else {
            return Ok(false);
        };
        let came = heard.named();
        heard.subjects.retain(|(subject, _)| is_wanted(&known, subject));
        let intake = EventIntake {
            tenant: session.tenant,
            registry: known.id,
            door: EventDoor::Sensor(session.sensor),
            ignored: heard.ignored.saturating_add(came - heard.named()),
            subjects: heard.subjects,
            named_at: heard.named_at,
            refused: heard.refused,
            last_refused: heard.last_refused,
            now: self.clock.now(),
        };
        match self.note_relayed(&intake).await {
            Ok(()) => Ok(true),
            // Removed since it was looked up.
            Err(StoreError::Unknown { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Notes an intake; or, if the database does not accept it, that the whole registry is to be looked at.
    async fn note_relayed(&self, intake: &EventIntake) -> Result<(), StoreError> {
        let error = match self.store.note_events(intake).await {
            Ok(_) => {
                self.count_relayed(intake);
                return Ok(());
            }
            Err(error @ (StoreError::Unavailable { .. } | StoreError::Unknown { .. })) => return Err(error),
            Err(error) => error,
        };
        tracing::error!(
            registry = %intake.registry,
            error = &error as &dyn std::error::Error,
            "events were not accepted: the whole registry is looked at in their place"
        );
        let whole = EventIntake {
            subjects: vec![(EventSubject::Registry, 1)],
            ignored: 0,
            refused: 0,
            last_refused: None,
            ..intake.clone()
        };
        self.store.note_events(&whole).await?;
        self.count_relayed(&whole);
        Ok(())
    }

    fn count_relayed(&self, intake: &EventIntake) {
        let (lost, named): (Vec<_>, Vec<_>) = intake
            .subjects
            .iter()
            .partition(|(subject, _)| *subject == EventSubject::Registry);
        self.relayed(Outcome::GivenUp, sum(lost));
        self.relayed(Outcome::Accepted, sum(named));
        self.relayed(Outcome::Ignored, intake.ignored);
        self.relayed(Outcome::Refused(Refused::AtSensor), intake.refused);
    }

    fn relayed(&self, outcome: Outcome, count: u64) {
        self.event_tally.answered(By::Sensor, outcome, count);
    }
}

impl Heard {
    /// Events that name something.
    fn named(&self) -> u64 {
        sum(&self.subjects)
    }

    /// Everything that came.
    fn events(&self) -> u64 {
        let counted = self.ignored.saturating_add(self.refused);
        self.named().saturating_add(counted)
    }
}

fn sum<'a>(subjects: impl IntoIterator<Item = &'a (EventSubject, u32)>) -> u64 {
    let counts = subjects.into_iter().map(|(_, events)| u64::from(*events));
    counts.fold(0, u64::saturating_add)
}

/// What there is for each name, in the order of the names; and how much was refused at the sensor of no known registry, which can be shown to nobody.
fn by_name(relayed: RelayedEvents) -> (BTreeMap<RegistryName, Heard>, u64) {
    let mut names: BTreeMap<RegistryName, Heard> = BTreeMap::new();
    let mut elsewhere: u64 = 0;
    for event in relayed.events {
        let heard = names.entry(event.registry).or_default();
        if let Some(repository) = event.subject.repository() {
            let named_at = heard
                .named_at
                .entry(repository.clone())
                .or_insert(event.received_at);
            *named_at = event.received_at.max(*named_at);
        }
        // Of what came before a sensor has begun to listen nobody knows whether it was anything.
        let count = match event.action {
            EventAction::Started => 0,
            _ => event.count,
        };
        heard.subjects.push((event.subject, count));
    }
    for count in relayed.counts {
        let Some(name) = count.registry else {
            elsewhere = elsewhere.saturating_add(count.refused);
            continue;
        };
        let heard = names.entry(name).or_default();
        heard.ignored = heard.ignored.saturating_add(count.ignored);
        heard.refused = heard.refused.saturating_add(count.refused);
        heard.last_refused = count.last_refused.or(heard.last_refused.take());
    }
    (names, elsewhere)
}
