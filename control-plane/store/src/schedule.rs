//! Starts of runs by the clock: what is due, what was started, what has lapsed.

use async_trait::async_trait;
use jiff::Timestamp;
use portolan_shared::model::{AttemptRef, Finding, RegistryId, RegistryName, RunId, SensorId, TenantId};

use crate::{NewRun, Schedule, StoreError};

/// A registry that the scheduler has to think about.
#[derive(Debug, Clone, PartialEq)]
pub struct DueRegistry {
    /// Whose it is.
    pub tenant: TenantId,
    /// Which.
    pub registry: RegistryId,
    /// Its name.
    pub name: RegistryName,
    /// The registry's version: an answer to another one is void.
    pub version: u64,
    /// When it is to be read.
    pub schedule: Schedule,
    /// Whether `next_start_at` follows from this schedule.
    pub planned: bool,
    /// When its next run was to start.
    pub next_start_at: Option<Timestamp>,
    /// When a run of it last began.
    pub last_attempt_at: Option<Timestamp>,
    /// When a run of it was last complete.
    pub last_success_at: Option<Timestamp>,
    /// Since when events are to announce what changes in it.
    pub events_since: Option<Timestamp>,
    /// When a run last found changes that no event had announced.
    pub unannounced_at: Option<Timestamp>,
}

/// What the scheduler decided for a registry. It counts only if everything that it followed from is still as it was.
#[derive(Debug, Clone)]
pub struct PlannedStart {
    /// Whose it is.
    pub tenant: TenantId,
    /// Which.
    pub registry: RegistryId,
    /// The version that was looked at.
    pub version: u64,
    /// Whether it was [`planned`](DueRegistry::planned) then.
    pub planned: bool,
    /// What `next_start_at` was then.
    pub was: Option<Timestamp>,
    /// What `unannounced_at` was then.
    pub unannounced_at: Option<Timestamp>,
    /// When the scheduler is to look again.
    pub next_start_at: Option<Timestamp>,
    /// A run to be queued now.
    pub run: Option<NewRun>,
}

/// What came of a planned start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StartOutcome {
    /// The time is noted; nothing was to be queued.
    Noted,
    /// The run is queued.
    Queued,
    /// It joined this one, which was open.
    Joined(RunId),
    /// Somebody else was first, or the registry was changed: nothing was done.
    Superseded,
}

/// How a run has lapsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lapse {
    /// No sensor has taken it for too long since nothing else keeps it waiting, nor has a person asked for it since.
    NotTaken,
    /// It has waited for too long to begin, whatever for and whoever asked for it again, or to go on after a blackout.
    WaitedTooLong,
    /// It has worked for longer than it may.
    TooLong,
}

/// Since when a run waits that has waited for too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WaitsSince {
    /// Queued before this, free to be taken since, and asked for by no person since.
    pub for_a_sensor: Timestamp,
    /// Queued before this and never begun, whatever it waits for; or begun, and kept waiting by blackouts since before this.
    pub for_anything: Timestamp,
}

/// A run that has lapsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LapsedRun {
    /// Whose it is.
    pub tenant: TenantId,
    /// Which.
    pub run: RunId,
    /// Of which registry.
    pub registry: RegistryId,
    /// How.
    pub lapse: Lapse,
    /// When a person last asked for it, if one has.
    pub asked_at: Option<Timestamp>,
    /// Who works on it.
    pub held: Option<(SensorId, AttemptRef)>,
}

/// Storage of what the scheduler needs. Of all tenants: nothing here is for people.
#[async_trait]
pub trait Schedules {
    /// Registries whose schedule was changed since it was last planned, and those whose next start has come, the most overdue first.
    /// Of those that are paused only the former.
    async fn due_registries(&self, now: Timestamp, limit: u32) -> Result<Vec<DueRegistry>, StoreError>;

    /// Applies a decision in one transaction: two schedulers that decided the same thing start one run. A run that joins an open one is
    /// noted there as a reason. Its audit entry is `run.queue`, written with it.
    async fn start_planned(&self, start: &PlannedStart, now: Timestamp) -> Result<StartOutcome, StoreError>;

    /// Puts right what was written by a clock that was more than a minute ahead of `now`, by this process or another: what was planned then is to be
    /// planned anew, what was queued then may be taken, what was leased then ends as if it had been now, and no event waits for longer than others do.
    async fn clock_is(&self, now: Timestamp) -> Result<(), StoreError>;

    /// Notes with each registry that is read on push whether something has changed in it that no event announced: neither before a run
    /// noticed it nor within a minute after. Then its next start is to be planned anew. Gives with how many.
    ///
    /// So a push whose notification comes a moment after the listing that saw it counts as announced, however short the run; and a registry that
    /// is silent is known as such a minute after the first change was noticed, however long the run. What a run found that events had asked
    /// for says nothing, nor does anything while events are known to be lost.
    async fn judge_silence(&self, now: Timestamp) -> Result<u64, StoreError>;

    /// Runs that wait for longer than they may, and those whose deadline has passed, whether or not they are leased just now.
    async fn lapsed_runs(
        &self,
        now: Timestamp,
        waits: WaitsSince,
        limit: u32,
    ) -> Result<Vec<LapsedRun>, StoreError>;

    /// Ends a run as failed for this reason, if it still is as it was seen; what it committed stays. From this moment everything of it is
    /// fenced off. Gives whether it was ended.
    async fn end_lapsed(
        &self,
        lapsed: &LapsedRun,
        finding: &Finding,
        now: Timestamp,
    ) -> Result<bool, StoreError>;
}
