//! Sensors: their certificates, sessions and end.

use async_trait::async_trait;
use jiff::Timestamp;
use portolan_shared::model::{HostFacts, Reason, SensorId, SensorState, TenantId};

use crate::{AuditEntry, Continuity, ContinuityHash, EntryFor, Page, PageRequest, StoreError};

/// What is kept of a sensor's certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Its serial number, 16 bytes.
    pub serial: [u8; 16],
    /// When it ends.
    pub not_after: Timestamp,
}

/// A stored sensor.
#[derive(Debug, Clone)]
pub struct SensorRecord {
    /// Its id.
    pub id: SensorId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Its name, unique within the tenant.
    pub name: String,
    /// Where it is in its life.
    pub state: SensorState,
    /// Somebody else showed the secret of its enrolment token.
    pub contested: bool,
    /// Its identity key, Ed25519.
    pub identity_public_key: [u8; 32],
    /// The certificate in use.
    pub current: Certificate,
    /// A certificate that was issued but not used yet.
    pub new: Option<Certificate>,
    /// Number of its latest session.
    pub session_epoch: u64,
    /// What its machine tells of itself.
    pub host: HostFacts,
    /// Hash of its local policy, as it last said.
    pub policy_hash: Option<[u8; 32]>,
    /// Its local policy in a few words, as it last said.
    pub policy_summary: String,
    /// Where registries of its network can notify it, as it last said; none if nowhere.
    pub notify_url: Option<String>,
    /// Its clock minus ours at the last session, in milliseconds.
    pub clock_skew_ms: i64,
    /// When it was enrolled.
    pub enrolled_at: Timestamp,
    /// Where its enrolment came from.
    pub enrolled_from: String,
    /// When it was last heard of.
    pub last_seen_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// Which continuity tokens are good.
    pub continuity: Continuity,
    /// Counts up each time that its state may have existed twice. Sealing keys of an earlier generation are void.
    pub generation: u64,
    /// Until when it may recover without questions, until it has opened a session.
    pub approved_until: Option<Timestamp>,
    /// The machine that this holds for; none: any.
    pub approved_fingerprint: Option<[u8; 16]>,
    /// Until when it may recover with a continuity token that is not known, because the database was restored from a backup; until it has
    /// opened a session.
    pub amnesty_until: Option<Timestamp>,
    /// What its machine told of itself at its last session.
    pub machine: MachineFacts,
    /// When it was deleted: all that is left is that its id and key cannot come back.
    pub deleted_at: Option<Timestamp>,
}

/// By what people tell two copies of a sensor apart. Decides nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MachineFacts {
    /// A hash over what the machine knows itself by, salted with the sensor's id.
    pub fingerprint: Option<[u8; 16]>,
    /// Changes each time the machine starts.
    pub boot_id: String,
    /// Starts of the agent since enrolment.
    pub incarnation: u64,
    /// Where the session came from.
    pub seen_from: String,
}

/// A sensor that wants a session.
#[derive(Debug, Clone)]
pub struct SessionOpening {
    /// From its certificate.
    pub tenant: TenantId,
    /// From its certificate.
    pub sensor: SensorId,
    /// From its certificate.
    pub serial: [u8; 16],
    /// From its hello.
    pub host: HostFacts,
    /// From its hello.
    pub policy_hash: Option<[u8; 32]>,
    /// From its hello.
    pub policy_summary: String,
    /// From its hello.
    pub notify_url: Option<String>,
    /// It looks at a repository for one run at a time: see [`Runs::lease_run`](crate::Runs::lease_run).
    pub looks_beside: bool,
    /// Its clock minus ours, in milliseconds.
    pub clock_skew_ms: i64,
    /// From its hello.
    pub machine: MachineFacts,
    /// Of the continuity token in its hello.
    pub shown: Option<ContinuityHash>,
    /// Of the token that it will be sent.
    pub sent: ContinuityHash,
    /// Now.
    pub now: Timestamp,
}

/// A session that was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenedSession {
    /// Its number; higher than that of any session of this sensor before.
    pub epoch: u64,
    /// The sensor's name.
    pub name: String,
    /// This was the sensor's first session: it is active now.
    pub first: bool,
    /// The sensor's generation.
    pub generation: u64,
}

/// What came of the wish for a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionOutcome {
    /// Here it is.
    Opened(OpenedSession),
    /// No: shut out, unknown, or the certificate was replaced.
    Refused(Reason),
    /// The continuity token is not one of those that are good. Nothing was written.
    Stale,
}

/// A sensor that has proved its identity, and wants a certificate without having a good one.
#[derive(Debug, Clone)]
pub struct RecoveryClaim {
    /// Which.
    pub sensor: SensorId,
    /// SHA-256 of the challenge that it answered: each is good for one recovery.
    pub challenge: [u8; 32],
    /// When that challenge was made. A claim with a token that is not good any more is late, and no conflict, if the sensor was heard of
    /// or recovered since.
    pub challenged_at: Timestamp,
    /// Of the continuity token that it showed.
    pub shown: Option<ContinuityHash>,
    /// What its machine knows itself by, as it says.
    pub fingerprint: Option<[u8; 16]>,
    /// Of the token that it will be sent.
    pub sent: ContinuityHash,
    /// The certificate that will be issued if the claim is good.
    pub certificate: Certificate,
    /// Now.
    pub now: Timestamp,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecoveryOutcome {
    /// The certificate was stored as the sensor's new one; issue it.
    Recovered {
        /// Of which tenant.
        tenant: TenantId,
        /// Why it was let in.
        grounds: RecoveryGrounds,
    },
    /// No: shut out, away for more than 30 days, recovered too often, or the challenge was used before.
    Refused(Reason),
    /// The continuity token is not one of those that are good, and nobody has approved. Nothing was written.
    Stale {
        /// Of which tenant.
        tenant: TenantId,
    },
}

/// Why a sensor without a good certificate got one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecoveryGrounds {
    /// Its continuity token is good.
    Token,
    /// A person has approved it. The approval ends with the first session of a certificate that was issued since: until then the answer may
    /// have been lost, and the sensor asks again.
    Approval,
    /// Its continuity token is not known, and the database was restored from a backup, so it may be a younger one. The amnesty ends with the
    /// sensor's first session.
    Amnesty,
}

/// What came of a wish for a recovery, for the audit log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JudgedRecovery {
    /// What came of it.
    pub outcome: RecoveryOutcome,
    /// Refusals since the last that was noted.
    pub unnoted: u64,
}

/// Identities that were seen twice since a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conflicts {
    /// Of the tenant that was asked about.
    pub of_tenant: u64,
    /// The tenant's sensors that are active, or would be if they were not quarantined.
    pub active_of_tenant: u64,
    /// How many other tenants have such identities.
    pub other_tenants: u64,
    /// How many tenants there are.
    pub tenants: u64,
}

/// Days without a sign of life after which a recovery takes approval.
pub const RECOVERY_AWAY_DAYS: i64 = 30;
/// Recoveries within a day after which the next takes approval.
pub const RECOVERIES_A_DAY: u64 = 3;
/// Recoveries within 30 days after which the next takes approval.
pub const RECOVERIES_A_MONTH: u64 = 10;

/// What a person, or the control plane for safety's sake, does with a sensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StandingChange {
    /// Shuts it out until it is resumed.
    Suspend,
    /// Lets it in again.
    Resume,
    /// Its identity was seen twice: shuts it out until a person has looked.
    Quarantine,
    /// It is to be let in again, although its state may be old or exist twice: until then it may recover without questions, and as often as it
    /// takes until it opens a session. A quarantine ends with the first such recovery, and goes on if there is none. Settles a contest. Its
    /// generation counts up.
    Approve {
        /// Until when.
        until: Timestamp,
        /// Only the machine that says this of itself; none: whoever comes first.
        fingerprint: Option<[u8; 16]>,
    },
    /// Shuts it out for good.
    Revoke,
    /// Removes one that is revoked from sight.
    Delete,
}

/// What came of a wish for a new certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RenewalOutcome {
    /// Stored as the sensor's new certificate; issue it.
    Stored,
    /// More than six within an hour.
    TooMany,
    /// The sensor may not have one.
    Refused(Reason),
}

/// A sensor that must be shut out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// Position in the list of denials; grows by each.
    pub epoch: u64,
    /// Whose sensor.
    pub tenant: TenantId,
    /// Which sensor.
    pub sensor: SensorId,
    /// Why; none: it is let in again.
    pub reason: Option<Reason>,
}

/// A sensor was heard of.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    /// Whose sensor.
    pub tenant: TenantId,
    /// Which.
    pub sensor: SensorId,
    /// When.
    pub at: Timestamp,
}

/// Storage of sensors.
#[async_trait]
pub trait Sensors {
    /// One sensor, unless it was deleted.
    async fn sensor(&self, tenant: TenantId, id: SensorId) -> Result<Option<SensorRecord>, StoreError>;

    /// One sensor, by name. A revoked sensor keeps its name.
    async fn sensor_by_name(&self, tenant: TenantId, name: &str) -> Result<Option<SensorRecord>, StoreError>;

    /// The tenant's sensors by name.
    async fn sensors(&self, tenant: TenantId, page: &PageRequest) -> Result<Page<SensorRecord>, StoreError>;

    /// The sensor with this id, in whichever tenant, deleted or not: for proofs of identity that come without a certificate.
    async fn sensor_anywhere(&self, id: SensorId) -> Result<Option<SensorRecord>, StoreError>;

    /// Opens a session: checks state, certificate and continuity, makes a new certificate the current one at its first use, turns a
    /// provisional sensor active, and gives the session a number. A continuity token that is not good is [`Reason::CertificateNotCurrent`]
    /// as long as the sensor has an amnesty: its recovery decides. The amnesty ends with the session.
    async fn open_session(&self, opening: &SessionOpening) -> Result<SessionOutcome, StoreError>;

    /// Stores a certificate that is about to be issued as the sensor's new one, replacing an unused one, and the entry with it. Refused if
    /// the certificate that was shown for it, by its `serial`, is neither the current nor the new one. At most six an hour.
    async fn store_renewal(
        &self,
        tenant: TenantId,
        sensor: SensorId,
        serial: [u8; 16],
        certificate: &Certificate,
        now: Timestamp,
        entry: &AuditEntry,
    ) -> Result<RenewalOutcome, StoreError>;

    /// Notes when sensors were last heard of, in one statement.
    async fn record_seen(&self, seen: &[Seen]) -> Result<(), StoreError>;

    /// Notes that the sensor has stored the continuity token that it was sent in this session. `false` if the session is not the latest, or
    /// the token was not waited for.
    async fn continuity_stored(
        &self,
        tenant: TenantId,
        sensor: SensorId,
        session_epoch: u64,
        token: ContinuityHash,
    ) -> Result<bool, StoreError>;

    /// Judges the wish of a sensor that has proved its identity for a certificate, and stores that certificate as its new one. The caller has
    /// checked the proof. The entry that `note` gives for the outcome is written with it, into the log of the sensor's tenant.
    ///
    /// In this order: the challenge was not used before, the sensor is not shut out (or quarantined and approved), its continuity token is
    /// good, or a person has approved, or it has an amnesty, it was heard of within [`RECOVERY_AWAY_DAYS`] and recovered fewer times than the bounds, or a person has
    /// approved. With an approval or an amnesty every token but the one that will be sent is void; an approval ends with the first session of a certificate that was
    /// issued since. `note` is asked of a refusal only if the reason is another one than that of the last, or an hour has passed.
    async fn recover_sensor(
        &self,
        claim: &RecoveryClaim,
        note: EntryFor<'_, JudgedRecovery>,
    ) -> Result<RecoveryOutcome, StoreError>;

    /// Changes a sensor's standing: state, denial, the return of its leases and the entry in one transaction. `false` if the tenant has no
    /// such sensor, or its state does not allow this; then nothing is written.
    async fn change_standing(
        &self,
        tenant: TenantId,
        sensor: SensorId,
        change: StandingChange,
        now: Timestamp,
        entry: &AuditEntry,
    ) -> Result<bool, StoreError>;

    /// Identities that were seen twice since a time, of this tenant and of others: if there are suddenly many, the fault is here.
    async fn conflicts_since(&self, tenant: TenantId, since: Timestamp) -> Result<Conflicts, StoreError>;

    /// How many sensors are active, or would be if they were not quarantined, of all tenants.
    async fn active_sensors(&self) -> Result<u64, StoreError>;

    /// What [`Sensors::remove_unused_sensors`] would remove now.
    async fn unused_sensors(
        &self,
        enrolled_before: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<SensorRecord>, StoreError>;

    /// Forgets sensors that were deleted at or before a time, with all that is kept by their ids; conflicts and recoveries that are older than
    /// 30 days; and denials that are older than a day, but for the last one of each sensor. Gives how many sensors; at most 1,000, the rest
    /// waits for the next call.
    async fn forget_deleted_sensors(
        &self,
        deleted_before: Timestamp,
        now: Timestamp,
    ) -> Result<u64, StoreError>;

    /// Marks provisional sensors without an amnesty that were enrolled at or before a time, each once, with the entry that `note` gives for it. At most 1,000,
    /// oldest first; the rest waits for the next call. Gives those that were marked now.
    async fn mark_stuck_sensors(
        &self,
        enrolled_before: Timestamp,
        now: Timestamp,
        note: EntryFor<'_, SensorRecord>,
    ) -> Result<Vec<SensorRecord>, StoreError>;

    /// Removes provisional sensors without an amnesty that were enrolled at or before a time and whose certificates have all ended, each with the entry that
    /// `note` gives for it: no registry names them any more and their names are free, but their invitations stay used. At most 1,000,
    /// oldest first; the rest waits for the next call. Gives those that were removed.
    async fn remove_unused_sensors(
        &self,
        enrolled_before: Timestamp,
        now: Timestamp,
        note: EntryFor<'_, SensorRecord>,
    ) -> Result<Vec<SensorRecord>, StoreError>;

    /// Position of the latest denial; 0 if there is none. Cheap: asked several times a second.
    async fn denial_epoch(&self) -> Result<u64, StoreError>;

    /// Denials after a position, in order, at most 10,000.
    async fn denials_after(&self, epoch: u64) -> Result<Vec<Denial>, StoreError>;
}
