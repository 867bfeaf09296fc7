//! What a sensor is told of itself when nothing else works.

use portolan_shared::model::{Reason, SensorId, SensorState};
use portolan_store::StoreError;

use crate::app::App;

/// What the control plane thinks of a sensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The key that it proves itself with.
    pub identity_public_key: [u8; 32],
    /// Where it is in its life.
    pub state: SensorState,
    /// Why it would not be let in; none if it would.
    pub reason: Option<Reason>,
}

impl App {
    /// What the control plane thinks of a sensor; none if it knows none of that id.
    pub async fn standing(&self, sensor: SensorId) -> Result<Option<Standing>, StoreError> {
        let now = self.clock.now();
        Ok(self.store.sensor_anywhere(sensor).await?.map(|record| {
            let last = record
                .new
                .as_ref()
                .map_or(record.current.not_after, |new| new.not_after)
                .max(record.current.not_after);
            let reason = match record.state {
                SensorState::Revoked => Some(Reason::SensorRevoked),
                SensorState::Provisional | SensorState::Active if last < now => {
                    Some(Reason::CertificateExpired)
                }
                SensorState::Provisional | SensorState::Active => None,
            };
            Standing {
                identity_public_key: record.identity_public_key,
                state: record.state,
                reason,
            }
        }))
    }
}
