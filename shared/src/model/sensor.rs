//! Sensors as both halves see them.

use serde::{Deserialize, Serialize};

use super::words::words;

words! {
    /// Where a sensor is in its life.
    SensorState {
        /// Enrolled, but has not opened a session yet.
        Provisional = "provisional",
        /// In use.
        Active = "active",
        /// Shut out by a person, who may resume it.
        Suspended = "suspended",
        /// Shut out because its identity was seen twice, until a person has looked.
        Quarantined = "quarantined",
        /// Shut out for good.
        Revoked = "revoked",
    }
}

impl SensorState {
    /// Why a sensor in this state is shut out; none if it is not.
    #[must_use]
    pub const fn shut_out(self) -> Option<Reason> {
        match self {
            Self::Provisional | Self::Active => None,
            Self::Suspended => Some(Reason::SensorSuspended),
            Self::Quarantined => Some(Reason::SensorQuarantined),
            Self::Revoked => Some(Reason::SensorRevoked),
        }
    }
}

words! {
    /// Why the control plane refused or ended something: the only thing a sensor may act on.
    Reason {
        /// The enrolment token is unknown, wrong, expired, revoked or used up.
        TokenInvalid = "token_invalid",
        /// The enrolment token is genuine but was bound to another machine first.
        TokenAlreadyBound = "token_already_bound",
        /// The certificate has expired.
        CertificateExpired = "certificate_expired",
        /// The certificate was replaced by a newer one.
        CertificateNotCurrent = "certificate_not_current",
        /// The sensor was shut out for good.
        SensorRevoked = "sensor_revoked",
        /// The identity is not known.
        IdentityUnknown = "identity_unknown",
        /// Too much at once; come back later.
        Overloaded = "overloaded",
        /// The control plane is stopping.
        Draining = "draining",
        /// The peer does not read what is sent to it.
        SlowConsumer = "slow_consumer",
        /// A newer session of the same sensor exists.
        StaleSession = "stale_session",
        /// The attempt is no longer the current one.
        StaleAttempt = "stale_attempt",
        /// A message above its bound.
        MessageTooLarge = "message_too_large",
        /// A message that must not come, or not like this.
        ProtocolViolation = "protocol_violation",
        /// No common protocol version.
        VersionUnsupported = "version_unsupported",
        /// The database does not answer.
        StorageUnavailable = "storage_unavailable",
        /// The sensor's local policy forbids it.
        Policy = "policy",
        /// A command that this sensor does not know.
        Unsupported = "unsupported",
        /// A person stopped it.
        Cancelled = "cancelled",
        /// Something failed that the other side can do nothing about.
        Internal = "internal",
        /// The sensor was suspended by a person, who may resume it.
        SensorSuspended = "sensor_suspended",
        /// The sensor is shut out until a person has looked: its identity was seen twice.
        SensorQuarantined = "sensor_quarantined",
        /// Just now this identity was seen twice: two copies run, or this one is older than its last session.
        IdentityConflict = "identity_conflict",
        /// A new certificate needs a person's approval: it was away for too long, or came back too often.
        NeedsApproval = "needs_approval",
        /// A sealed credential does not belong to this sensor, this registry, or is older than one that was seen.
        CredentialRefused = "credential_refused",
    }
}

/// What a sensor tells of its machine. For people to recognise it by; decides nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HostFacts {
    /// Host name.
    pub hostname: String,
    /// Operating system.
    pub os: String,
    /// Processor architecture.
    pub architecture: String,
    /// Version of the agent.
    pub agent_version: String,
}
