#![doc = include_str!("../README.md")]

mod api_token;
mod audit;
mod change;
mod continuity;
mod credential;
mod enrolment;
mod error;
mod event;
mod facts;
mod freshness;
mod image;
mod inventory;
mod page;
mod probe;
mod registry;
mod run;
mod schedule;
mod sensor;
pub mod sqlite;
mod tenant;
mod timeline;
mod timetable;
mod webhook;
mod wish;

pub use api_token::{ApiToken, ApiTokens, NewApiToken, Role, TokenHash, USE_NOTED_EVERY};
pub use audit::{
    Audit, AuditEntry, AuditOrder, AuditRecord, AuditSeverity, EntryFor, KEPT_CHECKPOINTS, KnownSensorLog,
    SensorHead, SensorHeadOutcome, SensorLeads, SensorLogProblem, SensorLogStep,
};
pub use change::{
    Change, Changed, Changes, FEED_PAGE, Feed, FeedPosition, FeedPositionError, Learnt, PresentTag,
    Retention, TagChange,
};
pub use continuity::{Continuity, ContinuityHash, OUTSTANDING_TOKENS};
pub use credential::{
    CredentialRecord, Credentials, DeliveredFor, Delivery, KEPT_PAST_VERSIONS, KEPT_SEALING_KEYS,
    NewCredential, PublishOutcome, PutOutcome, RevertOutcome, SealedRecord, SealedVersion, SealingKeyRecord,
    Withdrawn, WrapRecord,
};
pub use enrolment::{
    Enrolment, EnrolmentClaim, EnrolmentOutcome, Invitation, InvitationState, NewInvitation,
};
pub use error::{StaleFence, StoreError};
pub use event::{DueEvents, EventCount, EventDoor, EventIntake, Events, EventsNoted};
pub use facts::{KnownFacts, Observed};
pub use freshness::{
    AssignedSensor, EndedRun, Freshness, HeldRun, RegistryFigures, RegistryPulse, WaitingRun,
};
pub use image::{
    Images, InventoryTotals, LedgerChange, LedgerRow, ManifestSummary, Past, PastPage, PastTag, Placement,
    PlacementVia, Placements, Referrer, Referrers, RepositoryFilter, RepositoryRecord, TagDifference,
    TagRecord,
};
pub use inventory::{
    Content, ContentKind, Inventory, ManifestContent, OfferedRepository, RepositoryCommit,
    RepositoryCommitted, TagObservation,
};
pub use page::{Cursor, CursorError, Page, PageRequest};
pub use probe::{
    KEPT_PROBES, NewProbe, ProbeOutcome, ProbeRecord, ProbeReport, Probes, WAITING_PROBES, WaitingProbe,
};
pub use registry::{
    NewRegistry, Registries, RegistryChange, RegistryChangeOutcome, RegistryNews, RegistryRecord,
};
pub use run::{
    CancelOutcome, ClosedRun, Fence, HeldAttempt, Leasable, Lease, LostLease, RunChanges, RunClosing,
    RunFilter, RunRecord, Runs, WithdrawnLease,
};
pub use schedule::{DueRegistry, Lapse, LapsedRun, PlannedStart, Schedules, StartOutcome, WaitsSince};
pub use sensor::{
    Certificate, Conflicts, Denial, JudgedRecovery, MachineFacts, OpenedSession, RECOVERIES_A_DAY,
    RECOVERIES_A_MONTH, RECOVERY_AWAY_DAYS, RecoveryClaim, RecoveryGrounds, RecoveryOutcome, RenewalOutcome,
    Seen, SensorRecord, Sensors, SessionOpening, SessionOutcome, StandingChange,
};
pub use tenant::{Tenant, Tenants};
pub use timeline::{
    EPOCHS_PASSED_OVER, Redone, ReplayOutcome, ReplayStep, RestoreEnd, RestoredTenant, Timeline,
    TimelineMark, Timelines,
};
pub use timetable::{
    Blackout, BlackoutSpan, Blackouts, CronExpression, Interval, MissedStart, Schedule, TimeOfDay,
    TimetableError, Weekday, When, ZoneName,
};
pub use webhook::{
    DeliveryOutcome, DueWebhook, NewWebhook, TendedWebhooks, Tries, WebhookAttempt, WebhookChange,
    WebhookFigures, WebhookHold, WebhookMessage, WebhookRecord, WebhookState, Webhooks, WhyDisabled,
};
pub use wish::{NewRun, QueueOutcome, RunReason};

/// Everything that is stored. One value of this is shared by the whole process.
#[async_trait::async_trait]
pub trait Store:
    Tenants
    + ApiTokens
    + Enrolment
    + Sensors
    + Registries
    + Runs
    + Schedules
    + Events
    + Credentials
    + Probes
    + Inventory
    + Images
    + Feed
    + Webhooks
    + Freshness
    + Audit
    + Timelines
    + Send
    + Sync
{
    /// Whether the database answers; for readiness.
    async fn ping(&self) -> Result<(), StoreError>;

    /// Finishes writing and closes all connections.
    async fn close(&self);
}
