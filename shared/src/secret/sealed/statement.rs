//! Sealing keys, vouched for by the identity of the sensor that holds them.

use jiff::Timestamp;

use super::fingerprint::IdentityPublicKey;
use super::form::{FormError, Suite};
use super::key::{SealingKeyId, SealingPublicKey};
use super::recipient::Recipient;
use super::second::UnixSecond;
use crate::model::{SensorId, TenantId};

/// What a sensor says of one of its sealing keys. The id of the key is part of the signed form and follows from the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealingKeyStatement {
    /// Whose sensor.
    pub tenant: TenantId,
    /// Which sensor holds the private half.
    pub sensor: SensorId,
    /// The key.
    pub key: SealingPublicKey,
    /// When it was made.
    pub created_at: UnixSecond,
    /// From when on nothing must be sealed to it.
    pub not_after: UnixSecond,
    /// Counts the sealing keys of this sensor, from 1.
    pub generation: u64,
}

const CONTEXT: &[u8; 24] = b"portolan sealing key v1\0";
const FORM: &str = "sealing key statement";

impl SealingKeyStatement {
    /// The canonical bytes: what is stored, sent and signed by the identity key.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = CONTEXT.to_vec();
        out.extend_from_slice(self.tenant.as_bytes());
        out.extend_from_slice(self.sensor.as_bytes());
        out.extend_from_slice(self.key.id().as_bytes());
        out.extend_from_slice(self.key.as_bytes());
        out.push(self.key.suite().number());
        out.extend_from_slice(&self.created_at.to_bytes());
        out.extend_from_slice(&self.not_after.to_bytes());
        out.extend_from_slice(&self.generation.to_be_bytes());
        out
    }

    /// Reads the canonical bytes, and nothing but them.
    pub fn parse(bytes: &[u8]) -> Result<Self, FormError> {
        let (statement, suite) = Self::from_parts(bytes).ok_or(FormError::Malformed(FORM))?;
        Suite::parse(suite, FORM)?;
        Ok(statement)
    }

    fn from_parts(bytes: &[u8]) -> Option<(Self, u8)> {
        let rest = bytes.strip_prefix(CONTEXT)?;
        let (tenant, rest) = rest.split_first_chunk::<16>()?;
        let (sensor, rest) = rest.split_first_chunk::<16>()?;
        let (id, rest) = rest.split_first_chunk::<16>()?;
        let (key, rest) = rest.split_first_chunk::<32>()?;
        let (suite, rest) = rest.split_first()?;
        let (created_at, rest) = rest.split_first_chunk::<8>()?;
        let (not_after, rest) = rest.split_first_chunk::<8>()?;
        let key = SealingPublicKey::from_bytes(*key);
        let statement = Self {
            tenant: TenantId::from_slice(tenant).ok()?,
            sensor: SensorId::from_slice(sensor).ok()?,
            key,
            created_at: UnixSecond::from_bytes(*created_at)?,
            not_after: UnixSecond::from_bytes(*not_after)?,
            generation: u64::from_be_bytes(rest.try_into().ok()?),
        };
        (key.id().as_bytes() == id).then_some((statement, *suite))
    }

    /// The id of the key.
    #[must_use]
    pub fn key_id(&self) -> SealingKeyId {
        self.key.id()
    }
}

/// A statement with the signature over its canonical bytes. Says nothing until it was verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignedSealingKey {
    statement: SealingKeyStatement,
    signature: [u8; 64],
}

/// A sealing key is not to be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    /// Signed by another key than the sensor's identity key, or changed since.
    #[error("the sealing key {0} is not signed by the sensor's identity key")]
    Signature(SealingKeyId),
    /// A sensor of another tenant.
    #[error("the sealing key {0} is of another tenant")]
    Tenant(SealingKeyId),
    /// Another sensor.
    #[error("the sealing key {key} is of sensor {sensor}, which is another one")]
    Sensor {
        /// Which key.
        key: SealingKeyId,
        /// Whose it is.
        sensor: SensorId,
    },
    /// Its time is over.
    #[error("the sealing key {key} ended at {at}; the sensor makes a new one when it is connected")]
    Ended {
        /// Which key.
        key: SealingKeyId,
        /// When.
        at: UnixSecond,
    },
}

impl SignedSealingKey {
    /// Puts both together. The signature is one of the sensor's identity key over [`SealingKeyStatement::encode`].
    #[must_use]
    pub fn new(statement: SealingKeyStatement, signature: [u8; 64]) -> Self {
        Self { statement, signature }
    }

    /// Reads a statement and its signature as they are stored and sent.
    pub fn parse(statement: &[u8], signature: &[u8]) -> Result<Self, FormError> {
        let signature = signature
            .try_into()
            .map_err(|_| FormError::Malformed("signature of a sealing key"))?;
        Ok(Self::new(SealingKeyStatement::parse(statement)?, signature))
    }

    /// The signature, 64 bytes.
    #[must_use]
    pub fn signature(&self) -> &[u8; 64] {
        &self.signature
    }

    /// What is said, whoever said it: for showing, never for sealing.
    #[must_use]
    pub fn unverified(&self) -> &SealingKeyStatement {
        &self.statement
    }

    /// What is said, if this identity key said it of that sensor of that tenant.
    pub fn verify(
        &self,
        identity: &IdentityPublicKey,
        tenant: TenantId,
        sensor: SensorId,
    ) -> Result<&SealingKeyStatement, StatementError> {
        let (statement, key) = (&self.statement, self.statement.key_id());
        if !identity.verifies(&statement.encode(), &self.signature) {
            return Err(StatementError::Signature(key));
        }
        if statement.tenant != tenant {
            return Err(StatementError::Tenant(key));
        }
        if statement.sensor != sensor {
            return Err(StatementError::Sensor {
                key,
                sensor: statement.sensor,
            });
        }
        Ok(statement)
    }

    /// The sensor as somebody to seal to, if [`verify`](Self::verify) holds and the key has not ended.
    ///
    /// That `identity` is the sensor's own is for the caller to know: by its fingerprint, not by the control plane's word.
    pub fn recipient(
        &self,
        identity: &IdentityPublicKey,
        tenant: TenantId,
        sensor: SensorId,
        now: Timestamp,
    ) -> Result<Recipient, StatementError> {
        let statement = self.verify(identity, tenant, sensor)?;
        if now >= statement.not_after.timestamp() {
            return Err(StatementError::Ended {
                key: statement.key_id(),
                at: statement.not_after,
            });
        }
        Ok(Recipient::vouched(sensor, statement.key))
    }
}
