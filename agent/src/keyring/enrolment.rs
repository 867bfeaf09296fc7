//! Where an enrolment stands.

use data_encoding::HEXLOWER;
use jiff::Timestamp;
use portolan_shared::model::{InvitationId, SensorId, TenantId};
use portolan_shared::secret::sealed::{IdentityFingerprint, IdentityPublicKey};
use serde::{Deserialize, Serialize};

/// Where an enrolment stands. It only ever moves down this list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Enrolment {
    /// Keys are made; whether the control plane knows of them is not certain. It goes on with the same keys.
    PendingEnrol(Pending),
    /// A sensor.
    Enrolled(Enrolled),
    /// No longer a sensor.
    Revoked(Revoked),
}

/// An enrolment that has begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// With which token; its secret is not kept.
    pub invitation: InvitationId,
    /// The signing request, base64, so that a repeated request is the same to the byte.
    pub signing_request: String,
}

/// As whom this sensor is enrolled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrolled {
    /// With which token.
    pub invitation: InvitationId,
    /// Which sensor.
    pub sensor: SensorId,
    /// Whose.
    pub tenant: TenantId,
    /// What people call it.
    pub name: String,
    /// The control plane's deployment, as in the URI name of its certificates.
    pub deployment: String,
    /// Where the control plane listens for sensors: `https://host:port`, 1 to 8.
    pub endpoints: Vec<String>,
    /// The identity's public key, hex.
    pub identity: String,
    /// When.
    pub at: Timestamp,
}

impl Enrolled {
    /// The fingerprint of the identity key, for people to compare; `None` if the state file holds no key.
    #[must_use]
    pub fn fingerprint(&self) -> Option<IdentityFingerprint> {
        let key = HEXLOWER.decode(self.identity.as_bytes()).ok()?;
        Some(IdentityPublicKey(key.try_into().ok()?).fingerprint())
    }
}

/// What is left of a revoked sensor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revoked {
    /// Who it was.
    pub was: Enrolled,
    /// When it was told.
    pub at: Timestamp,
}

impl Enrolment {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(self).expect("strings and times always have a JSON form")
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(bytes).map_err(|error| error.to_string())
    }
}
