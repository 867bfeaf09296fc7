//! Whom to seal to.

use super::key::{SealingKeyPair, SealingPublicKey};
use crate::model::SensorId;

/// A sensor and the key to seal to. Comes from a verified statement ([`SignedSealingKey::recipient`](super::SignedSealingKey::recipient))
/// or from one's own key, so that nothing can be sealed to a key that no identity vouches for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recipient {
    sensor: SensorId,
    key: SealingPublicKey,
}

impl Recipient {
    pub(super) fn vouched(sensor: SensorId, key: SealingPublicKey) -> Self {
        Self { sensor, key }
    }

    /// The sensor itself, by a key that it holds.
    #[must_use]
    pub fn own(sensor: SensorId, pair: &SealingKeyPair) -> Self {
        Self::vouched(sensor, pair.public_key())
    }

    /// Which sensor.
    #[must_use]
    pub fn sensor(&self) -> SensorId {
        self.sensor
    }

    /// The key to seal to.
    #[must_use]
    pub fn key(&self) -> SealingPublicKey {
        self.key
    }
}
