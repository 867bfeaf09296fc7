//! Events that a sensor was told of.

use std::collections::BTreeMap;

use portolan_shared::model::{EventSubject, RegistryName, RelayedEvents};
use portolan_store::{EventDoor, EventIntake, StoreError};

use super::wanted::is_wanted;
use crate::app::{App, LiveSession};

/// What came for one name.
#[derive(Default)]
struct Heard {
    subjects: Vec<(EventSubject, u32)>,
    ignored: u64,
    refused: u64,
    last_refused: Option<String>,
}

impl App {
    /// Takes what a sensor relays: durable when this returns. Gives the names that are of no registry of the tenant that this sensor may
    /// read; of those nothing is taken. Nor is anything of a name whose rows cannot be read or written: the sensor would send it for ever, and
    /// nothing else would come through.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] alone: the same events are to come again.
    pub async fn take_relayed_events(
        &self,
        session: &LiveSession,
        relayed: RelayedEvents,
    ) -> Result<Vec<String>, StoreError> {
        let mut unknown = Vec::new();
        for (name, heard) in by_name(relayed) {
            match self.take_of_name(session, &name, heard).await {
                Ok(true) => {}
                Ok(false) => unknown.push(name.to_string()),
                Err(error @ StoreError::Unavailable { .. }) => return Err(error),
                Err(error) => tracing::error!(
                    sensor = %session.sensor,
                    registry = %name,
                    error = &error as &dyn std::error::Error,
                    "the events of a registry were not taken; those of others are"
                ),
            }
        }
        self.signals.schedule.notify_one();
        Ok(unknown)
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
        heard.subjects.retain(|(subject, _)| is_wanted(&known, subject));
        let intake = EventIntake {
            tenant: session.tenant,
            registry: known.id,
            door: EventDoor::Sensor(session.sensor),
            subjects: heard.subjects,
            ignored: heard.ignored,
            refused: heard.refused,
            last_refused: heard.last_refused,
            now: self.clock.now(),
        };
        match self.store.note_events(&intake).await {
            Ok(_) => Ok(true),
            // Removed since it was looked up.
            Err(StoreError::Unknown { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// What there is for each name, in the order of the names. What is of no known registry can be shown to nobody.
fn by_name(relayed: RelayedEvents) -> BTreeMap<RegistryName, Heard> {
    let mut names: BTreeMap<RegistryName, Heard> = BTreeMap::new();
    for event in relayed.events {
        let heard = names.entry(event.registry).or_default();
        heard.subjects.push((event.subject, event.count));
    }
    for count in relayed.counts {
        let Some(name) = count.registry else { continue };
        let heard = names.entry(name).or_default();
        heard.ignored = heard.ignored.saturating_add(count.ignored);
        heard.refused = heard.refused.saturating_add(count.refused);
        heard.last_refused = count.last_refused.or(heard.last_refused.take());
    }
    names
}
