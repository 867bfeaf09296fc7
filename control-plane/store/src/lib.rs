#![doc = include_str!("../README.md")]

mod api_token;
mod audit;
mod continuity;
mod credential;
mod enrolment;
mod error;
mod facts;
mod image;
mod inventory;
mod page;
mod probe;
mod registry;
mod run;
mod sensor;
pub mod sqlite;
mod tenant;

pub use api_token::{ApiToken, ApiTokens, NewApiToken, Role, TokenHash};
pub use audit::{
    Audit, AuditEntry, AuditRecord, AuditSeverity, EntryFor, KEPT_CHECKPOINTS, SensorHead, SensorHeadOutcome,
    SensorLeads, SensorLogProblem,
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
pub use facts::{KnownFacts, Observed};
pub use image::{
    Images, InventoryTotals, LedgerChange, LedgerRow, ManifestSummary, Placement, PlacementVia, Placements,
    Referrer, Referrers, RepositoryFilter, RepositoryRecord, TagRecord,
};
pub use inventory::{
    Content, ContentKind, Inventory, ManifestContent, OfferedRepository, RepositoryCommit,
    RepositoryCommitted, TagObservation,
};
pub use page::{Cursor, CursorError, Page, PageRequest};
pub use probe::{
    KEPT_PROBES, NewProbe, ProbeOutcome, ProbeRecord, ProbeReport, Probes, WAITING_PROBES, WaitingProbe,
};
pub use registry::{NewRegistry, Registries, RegistryChange, RegistryChangeOutcome, RegistryRecord};
pub use run::{
    CancelOutcome, ClosedRun, Fence, HeldAttempt, Leasable, Lease, LostLease, NewRun, QueueOutcome,
    RunChanges, RunClosing, RunFilter, RunRecord, Runs, WithdrawnLease,
};
pub use sensor::{
    Certificate, Conflicts, Denial, JudgedRecovery, MachineFacts, OpenedSession, RECOVERIES_A_DAY,
    RECOVERIES_A_MONTH, RECOVERY_AWAY_DAYS, RecoveryClaim, RecoveryOutcome, RenewalOutcome, Seen,
    SensorRecord, Sensors, SessionOpening, SessionOutcome, StandingChange,
};
pub use tenant::{Tenant, Tenants};

/// Everything that is stored. One value of this is shared by the whole process.
#[async_trait::async_trait]
pub trait Store:
    Tenants
    + ApiTokens
    + Enrolment
    + Sensors
    + Registries
    + Runs
    + Credentials
    + Probes
    + Inventory
    + Images
    + Audit
    + Send
    + Sync
{
    /// Whether the database answers; for readiness.
    async fn ping(&self) -> Result<(), StoreError>;

    /// Finishes writing and closes all connections.
    async fn close(&self);
}
