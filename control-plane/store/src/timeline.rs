//! What a database knows of its own past: whether it is the present one, and what becomes of an old one that was restored from a backup.
//!
//! An old state is dangerous in three ways. Numbers that were given out since (session epochs, attempts, positions in the change feed, versions
//! of credentials) would be given out again, for something else. What was shut out since would be let in again. And every sensor that has
//! connected since would look like a copy of itself. So nobody may work on an old state before it was restored in order: numbers are passed over
//! by more than can have been used, what the exported audit log says is done again, and for a while each sensor may come once with a continuity
//! token that nobody here knows.

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::civil::Date;
use portolan_shared::audit::LinkedRecord;
use portolan_shared::model::{ApiTokenId, InvitationId, RegistryId, RunId, SensorId, TenantId};

use crate::{EntryFor, StandingChange, StoreError};

/// Session epochs, and positions in the change feed, that a restore passes over.
pub const EPOCHS_PASSED_OVER: u64 = 1 << 32;
/// Attempts of each run that has not ended, and versions of each credential, that a restore passes over.
pub(crate) const ATTEMPTS_PASSED_OVER: i64 = 1_000;

/// Where a database is in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeline {
    /// Counts up as long as a control plane works on it: of two states of one database the one with the higher pulse is the later.
    pub pulse: u64,
    /// Why nobody may work on it; none if somebody may.
    pub mark: Option<TimelineMark>,
}

/// Why nobody may work on a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimelineMark {
    /// It is a backup.
    Backup {
        /// When it was taken.
        taken_at: Timestamp,
    },
    /// Somebody has begun to restore it, and has not come to the end.
    Restoring {
        /// When that began.
        since: Timestamp,
    },
}

/// A record of an exported audit log that may be missing here, and what of it is to be done again.
#[derive(Debug)]
pub struct ReplayStep {
    /// The record. The caller has verified that it follows from the one before it.
    pub record: LinkedRecord<String>,
    /// What the record says was done, if it shut somebody out or let somebody in.
    pub redo: Option<Redone>,
}

/// What is done again: whatever shuts out, and of what lets in only what follows upon that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Redone {
    /// A sensor's standing was changed. One that is deleted is revoked, too.
    Standing(SensorId, StandingChange),
    /// A sensor that was quarantined has recovered with an approval, which is used up.
    LetIn(SensorId),
    /// An API token was revoked.
    Token(ApiTokenId),
    /// An invitation was withdrawn or used: whoever has its secret must not use it again.
    Invitation(InvitationId),
    /// A registry was paused.
    Paused(RegistryId),
    /// A registry was removed: it is paused, its runs are cancelled, and it has no credential.
    Removed(RegistryId),
    /// Only these sensors were left to read a registry.
    Left(RegistryId, Vec<SensorId>),
    /// A registry's credential was taken from some sensors: it is taken from all.
    Withdrawn(RegistryId),
    /// A registry's credential was removed, a sealed one or a reference.
    Bare(RegistryId),
    /// A run was cancelled.
    Cancelled(RunId),
    /// The log was told how many looks push events had queued in a registry on a day: it is not told again.
    Looks(RegistryId, Date),
}

/// What came of a replay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplayOutcome {
    /// These records were missing and were appended; of these steps, by their place among all, what was done was done again.
    Appended {
        /// How many.
        records: u64,
        /// Places of the steps that changed something.
        redone: Vec<usize>,
    },
    /// The records do not continue this log: nothing was written.
    Diverges {
        /// Number of the first that does not.
        seq: u64,
    },
}

/// How a restore ends.
#[derive(Debug, Clone, Copy)]
pub struct RestoreEnd {
    /// Now.
    pub now: Timestamp,
    /// Until when each sensor may come once with a continuity token that is not known.
    pub amnesty_until: Timestamp,
    /// A pulse that the database has had at some time, as somebody else remembers: it goes on behind that.
    pub pulse: u64,
}

/// What a restore did to a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestoredTenant {
    /// Which.
    pub tenant: TenantId,
    /// Sensors that have an amnesty.
    pub sensors: u64,
    /// Runs that had not ended: all of them are queued.
    pub runs: u64,
}

/// Storage of what a database knows of its own past.
#[async_trait]
pub trait Timelines {
    /// Where the database is in time.
    async fn timeline(&self) -> Result<Timeline, StoreError>;

    /// Counts the pulse up, and gives it. [`StoreError::Refused`] while there is a mark.
    async fn beat(&self) -> Result<u64, StoreError>;

    /// Marks the database as one that is being restored; nothing happens if it is already. Everything that follows can be done again after an
    /// interruption. [`StoreError::Refused`] if the database is damaged, as far as a quick look shows.
    async fn begin_restore(&self, now: Timestamp) -> Result<(), StoreError>;

    /// Appends those records of a tenant's log that are missing here, to the byte as they are, and does again what they say as of when they were
    /// written, all in one transaction. Steps are in order. Records up to the head of the log are passed over, but the one at the head must be the same.
    async fn replay(
        &self,
        tenant: TenantId,
        steps: &[ReplayStep],
        now: Timestamp,
    ) -> Result<ReplayOutcome, StoreError>;

    /// Ends a restore, in one transaction: every number that may have been given out is passed over, leases are taken back, webhooks are disabled
    /// with what was on its way to them, every sensor that is not shut out for good has an amnesty, the mark is gone, and each tenant's log has
    /// the entry that `note` gives for it.
    async fn end_restore(
        &self,
        end: &RestoreEnd,
        note: EntryFor<'_, RestoredTenant>,
    ) -> Result<Vec<RestoredTenant>, StoreError>;
}
