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
            let approved = record.approved_until.is_some_and(|until| now < until);
            let reason = match record.state.shut_out() {
                // Its certificates are void, as both copies hold them; it is let in by a recovery, also if it has forgotten why it was not.
                Some(Reason::SensorQuarantined) if approved => Some(Reason::CertificateNotCurrent),
                None if last < now => Some(Reason::CertificateExpired),
                shut_out => shut_out,
            };
            Standing {
                identity_public_key: record.identity_public_key,
                state: record.state,
                reason,
            }
        }))
    }
}
