//! Invitations, and the one transaction by which a sensor comes into being.

use async_trait::async_trait;
use jiff::Timestamp;
use portolan_shared::model::{HostFacts, InvitationId, SensorId, TenantId};

use crate::{AuditEntry, Certificate, ContinuityHash, EntryFor, Page, PageRequest, StoreError, TokenHash};

/// An invitation to be stored: the control plane's half of an enrolment token.
#[derive(Debug, Clone)]
pub struct NewInvitation {
    /// The token's public part.
    pub id: InvitationId,
    /// Which tenant the sensor will belong to.
    pub tenant: TenantId,
    /// What is kept of the token's secret part.
    pub hash: TokenHash,
    /// The name that the sensor will have; unique within the tenant.
    pub sensor_name: String,
    /// Who made it: the name of an API token.
    pub created_by: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// Where an invitation is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvitationState {
    /// Can be used.
    Open,
    /// Bound to the keys of this sensor.
    Bound(SensorId),
    /// Its time is over.
    Expired,
}

/// A stored invitation.
#[derive(Debug, Clone)]
pub struct Invitation {
    /// As it was stored.
    pub invitation: NewInvitation,
    /// Where it is in its life at the time that was asked for.
    pub state: InvitationState,
}

/// What a machine shows to become a sensor. The caller has verified the signature over it.
#[derive(Debug, Clone)]
pub struct EnrolmentClaim {
    /// The token's public part.
    pub invitation: InvitationId,
    /// The keyed hash of the secret that was shown.
    pub hash: TokenHash,
    /// The machine's identity key.
    pub identity_public_key: [u8; 32],
    /// The id that the sensor gets if it is new.
    pub new_sensor: SensorId,
    /// The certificate that will be issued if the claim is good.
    pub certificate: Certificate,
    /// What the machine tells of itself.
    pub host: HostFacts,
    /// Of the continuity token that it will be sent.
    pub sent: ContinuityHash,
    /// Where the claim came from.
    pub source: String,
    /// Now.
    pub now: Timestamp,
}

/// What came of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnrolmentOutcome {
    /// The sensor exists now.
    Enrolled {
        /// Which.
        sensor: SensorId,
        /// Of which tenant.
        tenant: TenantId,
        /// Its name.
        name: String,
        /// Who made the invitation.
        invited_by: String,
    },
    /// The same keys came again within the time allowed for that: the same sensor; the certificate was stored as its new one.
    Again {
        /// Which.
        sensor: SensorId,
        /// Of which tenant.
        tenant: TenantId,
        /// Its name.
        name: String,
        /// Who made the invitation.
        invited_by: String,
    },
    /// The secret is right but other keys were bound first. The bound sensor is marked as contested.
    AlreadyBound {
        /// The sensor that was bound first.
        sensor: SensorId,
        /// Of which tenant.
        tenant: TenantId,
        /// Where its claim had come from.
        first_source: String,
        /// Whether this is the first time that the sensor is contested.
        newly_contested: bool,
    },
    /// Unknown, wrong, expired, revoked, or the time for trying again is over. `tenant` is known if the invitation is.
    Invalid {
        /// Whose audit log gets the entry.
        tenant: Option<TenantId>,
        /// For the audit log alone; never told to the caller.
        why: &'static str,
    },
}

impl EnrolmentOutcome {
    /// Whose invitation it was about.
    #[must_use]
    pub fn tenant(&self) -> Option<TenantId> {
        match self {
            Self::Enrolled { tenant, .. }
            | Self::Again { tenant, .. }
            | Self::AlreadyBound { tenant, .. } => Some(*tenant),
            Self::Invalid { tenant, .. } => *tenant,
        }
    }
}

/// Storage of invitations.
#[async_trait]
pub trait Enrolment {
    /// Stores an invitation, and the entry with it. [`StoreError::Taken`] if the tenant has a sensor, or an open invitation for a sensor, of
    /// that name.
    async fn add_invitation(&self, invitation: &NewInvitation, entry: &AuditEntry) -> Result<(), StoreError>;

    /// The tenant's invitations, newest first.
    async fn invitations(
        &self,
        tenant: TenantId,
        now: Timestamp,
        page: &PageRequest,
    ) -> Result<Page<Invitation>, StoreError>;

    /// The invitation that became a sensor.
    async fn invitation_of(
        &self,
        tenant: TenantId,
        sensor: SensorId,
    ) -> Result<Option<InvitationId>, StoreError>;

    /// Withdraws an open invitation, and writes the entry. `false` if there is none; then nothing is written.
    async fn revoke_invitation(
        &self,
        tenant: TenantId,
        id: InvitationId,
        now: Timestamp,
        entry: &AuditEntry,
    ) -> Result<bool, StoreError>;

    /// Judges a claim and carries it out, in one transaction: of any number of concurrent claims with different keys exactly one
    /// is `Enrolled`. Hashes are compared in constant time. The same keys may claim again for ten minutes after they were bound. The entry
    /// that `note` gives for the outcome is written with it, into the log of the invitation's tenant; none if there is no such invitation.
    async fn enrol(
        &self,
        claim: &EnrolmentClaim,
        note: EntryFor<'_, EnrolmentOutcome>,
    ) -> Result<EnrolmentOutcome, StoreError>;
}
