//! The audit log: what was done by whom, never changed afterwards.

use async_trait::async_trait;
use jiff::Timestamp;
use portolan_shared::audit::{AuditHash, AuditHead, LinkedRecord, SignedCheckpoint};
use portolan_shared::model::{SensorId, TenantId};

use crate::{Page, PageRequest, StoreError};

/// How much an entry matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AuditSeverity {
    /// Business as usual.
    Info,
    /// Worth a look.
    Notice,
    /// Somebody should look now.
    High,
}

impl AuditSeverity {
    const WORDS: [(&'static str, Self); 3] = [
        ("info", Self::Info),
        ("notice", Self::Notice),
        ("high", Self::High),
    ];

    /// The word for it, everywhere.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Notice => "notice",
            Self::High => "high",
        }
    }

    /// From the word for it.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::WORDS
            .into_iter()
            .find_map(|(known, severity)| (known == word).then_some(severity))
    }
}

/// Checkpoints that are kept of one tenant: the oldest are dropped beyond.
pub const KEPT_CHECKPOINTS: u64 = 10_000;

/// What a sensor says of its own log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SensorHead {
    /// Where it stands.
    pub head: AuditHead,
    /// How it went on behind a record that was known.
    pub leads: Option<SensorLeads>,
    /// The record of a checkpoint of the tenant's log that the sensor has refused.
    pub refused: Option<u64>,
}

/// How a sensor's log goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SensorLeads {
    /// Number of the record behind which it does.
    pub after: u64,
    /// Digests of the records there; `None` if the log does not hold that record as it was known.
    pub digests: Option<Vec<AuditHash>>,
}

/// How what a sensor says of its own log fits what is known of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SensorHeadOutcome {
    /// It is where it was, or was led on; this is what is known of it now.
    Extended(AuditHead),
    /// It says that it has grown. That it goes on from what is known, it has not shown: until it has, nothing more is known.
    Unproven,
    /// It is shorter than it was: records were cut off.
    Backwards,
    /// It does not go on from what was known: it was rewritten.
    Rewritten,
}

impl SensorHeadOutcome {
    /// Compares what is said now with what was known.
    #[must_use]
    pub fn of(known: &AuditHead, said: &SensorHead) -> Self {
        let head = &said.head;
        if head.seq < known.seq {
            return Self::Backwards;
        }
        if head.seq == known.seq {
            return if head.hash == known.hash {
                Self::Extended(*known)
            } else {
                Self::Rewritten
            };
        }
        match said.leads.as_ref().filter(|leads| leads.after == known.seq) {
            None => Self::Unproven,
            Some(SensorLeads { digests: None, .. }) => Self::Rewritten,
            Some(SensorLeads {
                digests: Some(digests),
                ..
            }) => {
                let reached = known.after(digests);
                if reached.seq > head.seq || (reached.seq == head.seq && reached.hash != head.hash) {
                    Self::Rewritten
                } else if digests.is_empty() {
                    Self::Unproven
                } else {
                    Self::Extended(reached)
                }
            }
        }
    }

    /// What is wrong with it, for people.
    #[must_use]
    pub fn problem(self) -> Option<&'static str> {
        match self {
            Self::Extended(_) | Self::Unproven => None,
            Self::Backwards => Some("the sensor's audit log is shorter than it was"),
            Self::Rewritten => Some("the sensor's audit log was rewritten"),
        }
    }
}

/// What is known of a sensor's own log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownSensorLog {
    /// Where it stands.
    pub head: AuditHead,
    /// What was last told of it, for people.
    pub problem: Option<String>,
}

impl KnownSensorLog {
    /// Compares what is said now with what is known, and gives what there is to tell of, for people.
    #[must_use]
    pub fn judge(&self, said: &SensorHead) -> (SensorHeadOutcome, Vec<String>) {
        let outcome = SensorHeadOutcome::of(&self.head, said);
        let doubted = said
            .refused
            .map(|seq| format!("the sensor refused the checkpoint of this log at record {seq}"));
        let doubted = doubted.filter(|doubted| self.problem.as_ref() != Some(doubted));
        let problems = [outcome.problem().map(str::to_owned), doubted];
        (outcome, problems.into_iter().flatten().collect())
    }
}

/// A sensor's log has gone on as it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SensorLogStep {
    /// Whose sensor.
    pub tenant: TenantId,
    /// Which.
    pub sensor: SensorId,
    /// Where the log was known to stand; none if nothing was known of it.
    pub from: Option<AuditHead>,
    /// Where it stands now.
    pub to: AuditHead,
    /// When the sensor said so.
    pub at: Timestamp,
}

/// Something is wrong with a sensor's log, or the sensor says so of the tenant's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SensorLogProblem {
    /// What, for people.
    pub problem: String,
    /// Where the log was known to stand.
    pub known: AuditHead,
    /// Where it is said to stand.
    pub reported: AuditHead,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEntry {
    /// When.
    pub at: Timestamp,
    /// Who did it: `token:NAME`, `sensor:ID`, `address:IP`, `schedule`, `events` or `system`.
    pub actor: String,
    /// What was done: `sensor.enrol`, `registry.add`, ...
    pub action: String,
    /// To what: `sensor:ID`, `registry:ID`, ...
    pub object: String,
    /// How much it matters.
    pub severity: AuditSeverity,
    /// Further facts. Never a secret.
    pub details: serde_json::Value,
}

/// An entry in its place.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditRecord {
    /// Its number in the tenant's log, from 1, without gaps.
    pub seq: u64,
    /// The entry.
    pub entry: AuditEntry,
}

/// From which end a part of the log is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AuditOrder {
    /// What happened last comes first.
    #[default]
    NewestFirst,
    /// As it happened.
    OldestFirst,
}

/// Gives the audit entry for something that a method is about to commit, or none. The entry becomes part of the same transaction: neither is
/// there without the other.
pub type EntryFor<'a, T> = &'a (dyn Fn(&T) -> Option<AuditEntry> + Send + Sync);

/// Storage of the audit log. Changes by people, and what makes, renews and ends sensors, take their entries along; this trait is for what is
/// no change, and for reading.
#[async_trait]
pub trait Audit {
    /// Appends an entry to the tenant's log.
    async fn append_audit(&self, tenant: TenantId, entry: &AuditEntry) -> Result<u64, StoreError>;

    /// The tenant's log, newest first.
    async fn audit(&self, tenant: TenantId, page: &PageRequest) -> Result<Page<AuditRecord>, StoreError>;

    /// What the tenant's log has on these objects (1 to 8). A cursor goes on in the order of its own page.
    async fn audit_of(
        &self,
        tenant: TenantId,
        objects: &[String],
        order: AuditOrder,
        page: &PageRequest,
    ) -> Result<Page<AuditRecord>, StoreError>;

    /// The tenant's log behind record `after_seq`, oldest first, at most `limit` records (1 to 1,000), with their hashes: for whoever verifies.
    /// What does not fit together is given as it is; a hash that is missing is all zeros.
    async fn audit_range(
        &self,
        tenant: TenantId,
        after_seq: u64,
        limit: u16,
    ) -> Result<Vec<LinkedRecord<String>>, StoreError>;

    /// Where the tenant's log stands, as it is kept beside the records.
    async fn audit_head(&self, tenant: TenantId) -> Result<AuditHead, StoreError>;

    /// The logs that have grown since their last checkpoint, and where they stand.
    async fn uncheckpointed_audits(&self) -> Result<Vec<(TenantId, AuditHead)>, StoreError>;

    /// Keeps a checkpoint of the tenant's log; the oldest beyond [`KEPT_CHECKPOINTS`] are dropped. One that is there already stays.
    async fn add_audit_checkpoint(
        &self,
        tenant: TenantId,
        signed: &SignedCheckpoint,
    ) -> Result<(), StoreError>;

    /// The tenant's checkpoints, newest first.
    async fn audit_checkpoints(
        &self,
        tenant: TenantId,
        page: &PageRequest,
    ) -> Result<Page<SignedCheckpoint>, StoreError>;

    /// What is known of a sensor's own log; `None` if the sensor has not said anything of it yet.
    async fn sensor_log(
        &self,
        tenant: TenantId,
        sensor: SensorId,
    ) -> Result<Option<KnownSensorLog>, StoreError>;

    /// Keeps where sensors' logs stand that have gone on, at most one step a sensor, all in one transaction. A step that does not begin where
    /// the log is known to stand by then is passed over: somebody else knows better.
    async fn extend_sensor_logs(&self, steps: &[SensorLogStep]) -> Result<(), StoreError>;

    /// Keeps where a sensor's own log stands, as far as it is shown to go on from where it was known to stand; the first that it says is taken
    /// at its word. If it does not fit, or the sensor has refused another checkpoint of the tenant's log, `entry` tells of that in the
    /// tenant's log, and what is said now is what the next report is compared with: so every further cut is told of, too. If `entry` gives
    /// none, everything stays as it was known, to be told of later. Also gives where the log is known to stand.
    async fn record_sensor_head(
        &self,
        tenant: TenantId,
        sensor: SensorId,
        said: &SensorHead,
        at: Timestamp,
        entry: EntryFor<'_, SensorLogProblem>,
    ) -> Result<(SensorHeadOutcome, AuditHead), StoreError>;
}
