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
        /// Shut out for good.
        Revoked = "revoked",
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
