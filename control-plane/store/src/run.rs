//! Runs: queued, leased attempt by attempt, closed once.

use async_trait::async_trait;
use jiff::Timestamp;
use portolan_shared::model::{
    AttemptRef, Coverage, CoverageEntry, DiscoveryStep, Finding, ListingStep, Reason, RegistryFacts,
    RegistryId, RegistryName, RegistryTarget, RepositoryOutcome, RunId, RunProgress, RunState, RunTrigger,
    Scope, SensorId, TenantId,
};

use crate::{AuditEntry, NewRun, Page, PageRequest, QueueOutcome, RunReason, StoreError};

/// Who speaks: the sensor's certificate gives tenant and sensor, its message the rest. Every effect of a sensor is checked against all
/// of it in the statement that applies it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fence {
    /// Whose sensor.
    pub tenant: TenantId,
    /// Which sensor.
    pub sensor: SensorId,
    /// Its session.
    pub session_epoch: u64,
    /// The attempt that was leased to it.
    pub attempt: AttemptRef,
}

/// A stored run.
#[derive(Debug, Clone)]
pub struct RunRecord {
    /// Its id.
    pub id: RunId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Of which registry.
    pub registry: RegistryId,
    /// The registry's name.
    pub registry_name: RegistryName,
    /// Why.
    pub trigger: RunTrigger,
    /// What of it.
    pub scope: Scope,
    /// Who asked.
    pub requested_by: String,
    /// Where it is in its life.
    pub state: RunState,
    /// Attempts so far.
    pub attempt: u32,
    /// Who holds, or last held, the lease.
    pub sensor: Option<SensorId>,
    /// When it was queued.
    pub queued_at: Timestamp,
    /// Before which no sensor may have it: it waits to be tried again, or for tomorrow's requests.
    pub not_before: Timestamp,
    /// The run that it waits for: one of the same registry and scope, which had begun when this one was asked for.
    pub behind: Option<RunId>,
    /// When its first attempt was leased.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// When it has taken too long; none before its first attempt. Later by as long as it waits, once it had begun, for the ends of blackouts.
    pub deadline_at: Option<Timestamp>,
    /// Everything that asked for it, the first first: at most [`RUN_REASONS`](portolan_shared::model::limits::RUN_REASONS).
    pub reasons: Vec<RunReason>,
    /// How many more there were.
    pub more_reasons: u64,
    /// How far it is.
    pub progress: RunProgress,
    /// Its account, final once it has ended.
    pub coverage: Coverage,
    /// Why it failed, or why its last attempt did, or why it waits.
    pub finding: Option<Finding>,
    /// What it changed in the inventory.
    pub changes: RunChanges,
    /// Manifests and image facts that were new to the tenant.
    pub content_stored: u64,
}

/// Tags that a run found changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RunChanges {
    /// They were not there before.
    pub appeared: u64,
    /// They point elsewhere now.
    pub moved: u64,
    /// They are gone.
    pub vanished: u64,
    /// They exist, and the registry's filter leaves them out now.
    pub left_out: u64,
}

/// Which runs are wanted.
#[derive(Debug, Clone, Copy, Default)]
pub struct RunFilter {
    /// Only of this registry.
    pub registry: Option<RegistryId>,
    /// Only in this state.
    pub state: Option<RunState>,
}

/// A run that waits for a sensor.
#[derive(Debug, Clone)]
pub struct Leasable {
    /// Whose it is.
    pub tenant: TenantId,
    /// Which.
    pub run: RunId,
    /// See [`Lease::look`].
    pub look: bool,
    /// Of the sensors that were asked for, those that may have it, the preferred first.
    pub sensors: Vec<SensorId>,
}

/// A lease that was given.
#[derive(Debug, Clone)]
pub struct Lease {
    /// Of which attempt.
    pub attempt: AttemptRef,
    /// What to read.
    pub target: RegistryTarget,
    /// How much of it.
    pub scope: Scope,
    /// An earlier attempt committed something.
    pub resumed: bool,
    /// It looks at what events named, beside another run of the registry if need be: a sensor has slots for such work alone.
    pub look: bool,
}

/// A lease that ended without its holder's doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostLease {
    /// Whose run.
    pub tenant: TenantId,
    /// Which attempt.
    pub attempt: AttemptRef,
    /// Who held it.
    pub sensor: SensorId,
    /// What became of the run: queued again, or failed because it was fruitless too often.
    pub state: RunState,
}

/// An attempt that a sensor works on, as far as its session knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldAttempt {
    /// Whose sensor.
    pub tenant: TenantId,
    /// Which sensor.
    pub sensor: SensorId,
    /// What it works on.
    pub attempt: AttemptRef,
}

/// An attempt whose lease is gone although its holder did not end it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WithdrawnLease {
    /// The attempt, and who worked on it.
    pub held: HeldAttempt,
    /// [`Reason::Cancelled`] if the run was, else [`Reason::StaleAttempt`].
    pub reason: Reason,
}

/// What a sensor says at the end of a run.
#[derive(Debug, Clone, Default)]
pub struct RunClosing {
    /// Methods of discovery that were tried.
    pub discovery: Vec<DiscoveryStep>,
    /// Methods of listing tags that were used.
    pub listings: Vec<ListingStep>,
    /// Whether all repositories are known to have been listed.
    pub discovery_complete: bool,
    /// Repositories found.
    pub found: u64,
    /// Of these, left out by the registry's patterns.
    pub filtered: u64,
    /// Tags observed.
    pub tags: u64,
    /// Tags that exist and that the registry's filter left out.
    pub tags_filtered: u64,
    /// Nothing could be read at all.
    pub failure: Option<Finding>,
    /// What was found out about the registry.
    pub facts: RegistryFacts,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClosedRun {
    /// Complete, partial or failed.
    pub state: RunState,
    /// Repositories that were found to be gone.
    pub repositories_vanished: u64,
    /// It had been closed before by the same attempt; nothing was done now.
    pub again: bool,
}

/// What came of a wish to cancel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CancelOutcome {
    /// Cancelled; this attempt, on this sensor, has to be told.
    Cancelled(Option<(SensorId, AttemptRef)>),
    /// It had ended before, in this state.
    Ended(RunState),
    /// There is no such run.
    Unknown,
}

/// Storage of runs.
#[async_trait]
pub trait Runs {
    /// Queues a run, and writes the entry; or finds the open one of the same registry and scope, which then has one reason more and is as
    /// urgent as the most urgent of them, and writes no entry. If a person joins one that waits for the end of a blackout, or to be tried again
    /// after a failure, it may be leased from now; what keeps it waiting for the registry's sake still does.
    ///
    /// What is open and leased, or has committed something, may have looked too early for a person, and for events: for them another is queued
    /// behind it, which nobody can lease before that has ended, and which the next of them joins. What is ahead becomes as urgent as that, and waits as little, until
    /// what is behind it ends without having begun. A schedule's start joins whatever is open.
    ///
    /// A run that events asked for, of less than the whole registry, is never joined: it goes [beside](Runs::lease_run) others.
    async fn queue_run(&self, run: &NewRun, entry: &AuditEntry) -> Result<QueueOutcome, StoreError>;

    /// One run.
    async fn run(&self, tenant: TenantId, id: RunId) -> Result<Option<RunRecord>, StoreError>;

    /// The tenant's runs, newest first.
    async fn runs(
        &self,
        tenant: TenantId,
        filter: &RunFilter,
        page: &PageRequest,
    ) -> Result<Page<RunRecord>, StoreError>;

    /// Repositories of a run with this outcome, by name; if none is given, those in scope that it did not see completely. Of a run that has
    /// ended, those that were complete are not kept.
    async fn run_coverage(
        &self,
        tenant: TenantId,
        run: RunId,
        outcome: Option<RepositoryOutcome>,
        page: &PageRequest,
    ) -> Result<Page<CoverageEntry>, StoreError>;

    /// Runs that wait and whose time has come, of which at least one of `sensors` may have the lease (see [`Runs::lease_run`]); each with
    /// those of `sensors` that may, as its registry ranks them. First those that people asked for, then those that events did, then those
    /// that schedules did; of these the oldest first. Runs that nobody of `sensors` may have do not count towards `limit`. One that cannot
    /// be read is left out, and logged. Of all tenants: this is for the dispatcher.
    async fn leasable_runs(
        &self,
        now: Timestamp,
        sensors: &[SensorId],
        limit: u32,
    ) -> Result<Vec<Leasable>, StoreError>;

    /// The same of runs that look at what events named, and take no slot of others: see [`Lease::look`].
    async fn leasable_looks(
        &self,
        now: Timestamp,
        sensors: &[SensorId],
        limit: u32,
    ) -> Result<Vec<Leasable>, StoreError>;

    /// Of these attempts, those that are not leased to their sensor any more and did not close their run: cancelled, taken away, failed,
    /// or gone with their registry. In whichever session the sensor works. One statement, which only reads: asked twice a second.
    async fn withdrawn_leases(&self, held: &[HeldAttempt]) -> Result<Vec<WithdrawnLease>, StoreError>;

    /// Leases a queued run to a sensor whose session is current: the next attempt begins. With the first of them its deadline is set, by
    /// the longest that a run of the registry may take, or else [`RUN_SECONDS`](portolan_shared::model::limits::RUN_SECONDS).
    ///
    /// `None` if it was not to be had, or another run of the registry is leased: two at a time would commit over each other. But one run
    /// that events asked for, of less than the whole registry, may be leased beside one other, to the same sensor in the same session, if
    /// that [looks](crate::SessionOpening::looks_beside) at a repository for one of them at a time.
    ///
    /// `None` as well if so many runs of the tenant are leased as may be (looks at what events named are short, and do not count), or if the registry's requests of the last 24 hours have used up its
    /// [`Budget::per_day`](portolan_shared::model::Budget::per_day): then the run has a finding that says so, and waits until a tenth of them
    /// has become old. And `None` if no person has asked for the run, and its registry is in a [blackout](crate::Blackouts): then it has a finding that says
    /// so, and waits for the end of that, whether it would be its first attempt or not. Of two that are leased beside each other each is told what is left: they may use up more by what the smaller needs.
    async fn lease_run(
        &self,
        tenant: TenantId,
        run: RunId,
        sensor: SensorId,
        session_epoch: u64,
        now: Timestamp,
    ) -> Result<Option<Lease>, StoreError>;

    /// Puts a run back that was leased but never taken up; does not count as a fruitless attempt.
    async fn return_lease(&self, fence: &Fence, now: Timestamp) -> Result<(), StoreError>;

    /// Prolongs leases by [`LEASE_SECONDS`](portolan_shared::model::limits::LEASE_SECONDS), in one statement; gives those that are still
    /// held. A lease that has run out but was not taken away yet can be prolonged.
    async fn renew_leases(&self, fences: &[Fence], now: Timestamp) -> Result<Vec<Fence>, StoreError>;

    /// After a reconnect: leases of this sensor that it still works on are carried over to its new session (and given back as kept);
    /// all others of it are returned to the queue at once.
    async fn adopt_leases(
        &self,
        tenant: TenantId,
        sensor: SensorId,
        session_epoch: u64,
        running: &[AttemptRef],
        now: Timestamp,
    ) -> Result<Vec<AttemptRef>, StoreError>;

    /// Leases that ran out [`LEASE_GRACE_SECONDS`](portolan_shared::model::limits::LEASE_GRACE_SECONDS) ago, of all tenants: those that ran
    /// out first, at most 1,000.
    async fn expired_leases(&self, now: Timestamp) -> Result<Vec<HeldAttempt>, StoreError>;

    /// Takes those of these leases away that ran out [`LEASE_GRACE_SECONDS`](portolan_shared::model::limits::LEASE_GRACE_SECONDS) ago: the run has a finding
    /// that says so until it is leased again, and is queued again, or fails after [`FRUITLESS_ATTEMPTS`](portolan_shared::model::limits::FRUITLESS_ATTEMPTS) attempts without a commit. One that
    /// cannot be read stays as it is, and is logged.
    async fn requeue_expired(
        &self,
        now: Timestamp,
        leases: &[HeldAttempt],
    ) -> Result<Vec<LostLease>, StoreError>;

    /// Notes how far an attempt is, and counts the requests it made since the last time among those of its registry. A stale fence is not
    /// an error here: nothing happens.
    async fn record_progress(
        &self,
        fence: &Fence,
        progress: &RunProgress,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// The attempt ended without closing the run. Queued again not before `retry_at`, or failed if that is none or after
    /// [`FRUITLESS_ATTEMPTS`](portolan_shared::model::limits::FRUITLESS_ATTEMPTS). Gives the run's state.
    async fn fail_attempt(
        &self,
        fence: &Fence,
        finding: &Finding,
        retry_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<RunState, StoreError>;

    /// Cancels a run, and writes the entry: from this moment everything of it is fenced off. The run that waits behind it may be leased at once. Nothing is
    /// written if it had ended before.
    async fn cancel_run(
        &self,
        tenant: TenantId,
        run: RunId,
        now: Timestamp,
        entry: &AuditEntry,
    ) -> Result<CancelOutcome, StoreError>;

    /// Closes a run. Its coverage is counted from what was committed and reported by all of its attempts. Only when discovery was complete,
    /// the scope was the whole registry, and its definition is as it was when the attempt was leased, are repositories within the
    /// registry's patterns that were not found recorded as vanished, with their tags; but for those in which a run beside this one has seen a
    /// tag. Last success moves only if the run is complete. If a run before it found changes that no event had
    /// [announced](crate::Schedules::judge_silence), a complete run of the whole that found none takes that back. What events named that it was
    /// to look at and did not come to is looked at again: see [`Events`](crate::Events). Of a
    /// registry that is as it was leased the facts are kept: those of a run that failed beside what was known, all others in its place.
    /// Repeating it gives the stored outcome.
    async fn close_run(
        &self,
        fence: &Fence,
        closing: &RunClosing,
        now: Timestamp,
    ) -> Result<ClosedRun, StoreError>;
}
