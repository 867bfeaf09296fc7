//! Push events: noted when they come, taken over by runs that look.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::Timestamp;
use portolan_shared::model::{EventSubject, RegistryId, RepositoryName, RunId, SensorId, TenantId};

use crate::{QueueOutcome, StoreError};

/// Where events came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventDoor {
    /// At the control plane itself.
    Webhook,
    /// In the private network, at this sensor.
    Sensor(SensorId),
}

/// Events of one registry that came in together.
#[derive(Debug, Clone)]
pub struct EventIntake {
    /// Whose registry.
    pub tenant: TenantId,
    /// Which.
    pub registry: RegistryId,
    /// Where they came in.
    pub door: EventDoor,
    /// What they are about, with how many there were: of a whole registry, how many were lost, which is 0 if a sensor has begun to listen and it is not known
    /// whether any were. At most [`EVENTS_PER_NOTIFICATION`](portolan_shared::model::limits::EVENTS_PER_NOTIFICATION).
    pub subjects: Vec<(EventSubject, u32)>,
    /// When a repository was last named to a sensor, by the sensor's clock, if it told so later. Of all others that is now.
    pub named_at: BTreeMap<RepositoryName, Timestamp>,
    /// Notifications of things that change no inventory.
    pub ignored: u64,
    /// Notifications that were not authentic, malformed, too large or too many; and why the last one was refused, as a word.
    pub refused: u64,
    /// See `refused`.
    pub last_refused: Option<String>,
    /// When they came here.
    pub now: Timestamp,
}

/// What came of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EventsNoted {
    /// A run will look at something of it. Not so if the registry's schedule is not `on-push`: then they are only counted.
    pub pending: bool,
}

/// A registry of which events are due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueEvents {
    /// Whose it is.
    pub tenant: TenantId,
    /// Which.
    pub registry: RegistryId,
}

/// What came in at one door for a registry, since ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventCount {
    /// Where.
    pub door: EventDoor,
    /// Events that named something.
    pub accepted: u64,
    /// Notifications of things that change no inventory.
    pub ignored: u64,
    /// Notifications that were refused.
    pub refused: u64,
    /// Events in whose place the whole registry was looked at: a sensor could not keep them apart, or they could not be noted.
    pub given_up: u64,
    /// When something last came that was not refused: what a sensor tells later, when it came to the sensor.
    pub last_at: Option<Timestamp>,
    /// When something was last refused, and why, as a word.
    pub last_refused: Option<(Timestamp, String)>,
}

/// Storage of push events.
///
/// An event is lost with no look that fails. Of a run that [took events over](Events::queue_event_run) and ends as failed or partial (not as
/// cancelled), what it did not read waits again, in the transaction that ends the run: for a minute, then five, then half an hour, or until other
/// events ask for it. After that, or if the registry said that there is no such repository, which only a complete listing may believe, the
/// whole registry is looked at, soon but not within an hour of its last attempt; if that fails, every hour for a day.
#[async_trait]
pub trait Events {
    /// Whose registry this is: for whoever knocks with nothing but its id.
    async fn tenant_of_registry(&self, registry: RegistryId) -> Result<Option<TenantId>, StoreError>;

    /// Notes events in one transaction, durable when this returns. Each repository that the registry's patterns want gets one row of what is to
    /// be looked at, due [`EVENT_WINDOW_MS`](portolan_shared::model::limits::EVENT_WINDOW_MS) after its first event and not within
    /// [`EVENT_SPACING_MS`](portolan_shared::model::limits::EVENT_SPACING_MS) of the look before; after more than
    /// [`EVENT_FLOOD`](portolan_shared::model::limits::EVENT_FLOOD) events, not before that window has passed without another one, or
    /// [`EVENT_FLOOD_MS`](portolan_shared::model::limits::EVENT_FLOOD_MS) have since the first. More than [`RUN_SCOPE_REFERENCES`](portolan_shared::model::limits::RUN_SCOPE_REFERENCES) tags become the whole
    /// repository, more than [`EVENT_REPOSITORIES`](portolan_shared::model::limits::EVENT_REPOSITORIES) repositories the whole registry, which is
    /// looked at for events no more often than every [`EVENT_WHOLE_SPACING_MS`](portolan_shared::model::limits::EVENT_WHOLE_SPACING_MS).
    /// [`StoreError::Unknown`] if there is no such registry.
    async fn note_events(&self, intake: &EventIntake) -> Result<EventsNoted, StoreError>;

    /// Registries that are not paused and of which events are due that a run can take over now, the most overdue first. While a run that
    /// events asked for is open, what else is due of its registry waits for its end; so does a look at the whole while a run of the whole registry
    /// is open that has begun, unless another one waits behind that.
    async fn due_events(&self, now: Timestamp, limit: u32) -> Result<Vec<DueEvents>, StoreError>;

    /// When the next events become due, of those that would be among [`due_events`](Events::due_events) then.
    async fn next_event_due(&self) -> Result<Option<Timestamp>, StoreError>;

    /// Takes over what is due of a registry, as a queued run with this id, in one transaction: the whole registry if that is asked for, which
    /// joins a run that waits and has not begun, if there is one; or else as much as one run may be narrowed to, the most overdue first, which joins nothing. The
    /// rest stays due. `None` if nothing was due any more, or nothing can be taken over now.
    ///
    /// In the same transaction a run of the whole registry that is queued brings its audit entry, `run.queue`, and any other is counted for
    /// [`sum_up_looks`](Events::sum_up_looks): there may be two a second.
    async fn queue_event_run(
        &self,
        due: &DueEvents,
        run: RunId,
        now: Timestamp,
    ) -> Result<Option<QueueOutcome>, StoreError>;

    /// Writes the audit entry `run.looks` for registries and days (UTC) that have ended: how many runs for single repositories events have queued
    /// there then. At most 200 of them, in one transaction; gives how many there were. Each run is in one entry, also if its registry is gone since; a
    /// day to which the clock was set back has another. A day after tomorrow is of a clock that was ahead, and over. What cannot be read is
    /// logged and forgotten: it keeps no other from being told of.
    async fn sum_up_looks(&self, now: Timestamp) -> Result<u64, StoreError>;

    /// Lets everything that is due of a registry before this moment wait until then: it is in a blackout. What comes later of the same repositories
    /// waits along.
    async fn put_off_events(&self, due: &DueEvents, until: Timestamp) -> Result<(), StoreError>;

    /// What came in for a registry, the control plane's own door first.
    async fn event_counts(
        &self,
        tenant: TenantId,
        registry: RegistryId,
    ) -> Result<Vec<EventCount>, StoreError>;

    /// Removes what is kept of repositories that a run looked at an hour ago and of which nothing was heard since; at most 1,000. Gives how
    /// many.
    async fn forget_idle_events(&self, now: Timestamp) -> Result<u64, StoreError>;
}
