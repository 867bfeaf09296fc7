//! Sensors: their certificates, sessions and end.

use async_trait::async_trait;
use jiff::Timestamp;
use portolan_shared::model::{HostFacts, Reason, SensorId, SensorState, TenantId};

use crate::{AuditEntry, EntryFor, Page, PageRequest, StoreError};

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
    /// Its clock minus ours, in milliseconds.
    pub clock_skew_ms: i64,
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
}

/// What came of the wish for a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionOutcome {
    /// Here it is.
    Opened(OpenedSession),
    /// No: revoked, unknown, or the certificate was replaced.
    Refused(Reason),
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
    /// Why.
    pub reason: Reason,
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
    /// One sensor.
    async fn sensor(&self, tenant: TenantId, id: SensorId) -> Result<Option<SensorRecord>, StoreError>;

    /// One sensor, by name. A revoked sensor keeps its name.
    async fn sensor_by_name(&self, tenant: TenantId, name: &str) -> Result<Option<SensorRecord>, StoreError>;

    /// The tenant's sensors by name.
    async fn sensors(&self, tenant: TenantId, page: &PageRequest) -> Result<Page<SensorRecord>, StoreError>;

    /// The sensor with this id, in whichever tenant: for proofs of identity that come without a certificate.
    async fn sensor_anywhere(&self, id: SensorId) -> Result<Option<SensorRecord>, StoreError>;

    /// Opens a session: checks state and certificate, makes a new certificate the current one at its first use, turns a provisional
    /// sensor active, and gives the session a number.
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

    /// Shuts a sensor out for good: state, denial, the return of its leases and the entry in one transaction. `false` if the tenant has no
    /// such sensor, or it was revoked before; then nothing is written.
    async fn revoke_sensor(
        &self,
        tenant: TenantId,
        sensor: SensorId,
        now: Timestamp,
        entry: &AuditEntry,
    ) -> Result<bool, StoreError>;

    /// Marks provisional sensors that were enrolled at or before a time, each once, with the entry that `note` gives for it. At most 1,000,
    /// oldest first; the rest waits for the next call. Gives those that were marked now.
    async fn mark_stuck_sensors(
        &self,
        enrolled_before: Timestamp,
        now: Timestamp,
        note: EntryFor<'_, SensorRecord>,
    ) -> Result<Vec<SensorRecord>, StoreError>;

    /// Removes provisional sensors that were enrolled at or before a time and whose certificates have all ended, each with the entry that
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
