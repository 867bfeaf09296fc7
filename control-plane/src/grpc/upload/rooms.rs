//! Room for calls of the upload service: in the process, for each tenant, for each sensor. Bounds the memory for batches and tag sets, and
//! how much of it one sensor or one tenant can take from the others.

use std::sync::Arc;
use std::time::Duration;

use portolan_shared::model::{SensorId, TenantId};
use portolan_shared::tls::PeerIdentity;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::fair::{Place, Shares};

/// Calls of one sensor at once; further ones wait. As many again on connections that have not shown a fence of the sensor's session: whoever
/// can show none takes no room from it.
const OF_SENSOR: usize = 4;
/// Calls of one sensor, those that wait included: refused above.
const OF_SENSOR_WAITING: usize = 32;
/// Calls of one tenant, those that wait included: refused above.
const OF_TENANT_WAITING: usize = 1_024;

/// All room there is.
#[derive(Debug)]
pub(in crate::grpc) struct Rooms {
    process: Arc<Semaphore>,
    tenants: Arc<Shares<TenantId>>,
    sensors: Arc<Shares<(SensorId, bool)>>,
    /// How long a call waits for room: refused after.
    wait: Duration,
}

/// A call's place among those of its sensor: it may read its first message.
#[derive(Debug)]
pub(super) struct Anteroom(Place<(SensorId, bool)>);

/// Room for a call.
#[derive(Debug)]
pub(super) struct Room {
    _process: OwnedSemaphorePermit,
    _tenant: Place<TenantId>,
    _sensor: Place<(SensorId, bool)>,
}

/// There was no room in time.
#[derive(Debug)]
pub(super) struct NoRoom;

impl Rooms {
    /// Room for so many calls at once, half of them for one tenant; whoever waits longer than `wait` is refused.
    pub(in crate::grpc) fn new(calls: usize, wait: Duration) -> Self {
        Self {
            process: Arc::new(Semaphore::new(calls.max(1))),
            tenants: Shares::new(calls / 2, OF_TENANT_WAITING),
            sensors: Shares::new(OF_SENSOR, OF_SENSOR_WAITING),
            wait,
        }
    }

    /// Lets a call of a sensor begin. Whoever waits here reads nothing, so that the peer stops sending. `has_shown`: a fence of the sensor's
    /// session, earlier on the same connection.
    pub(super) async fn begin(&self, sensor: SensorId, has_shown: bool) -> Result<Anteroom, NoRoom> {
        let mut place = self.sensors.enter((sensor, has_shown)).ok_or(NoRoom)?;
        timeout(self.wait, place.turn()).await.map_err(|_| NoRoom)?;
        Ok(Anteroom(place))
    }

    /// Room for a call that has shown for which attempt it is.
    pub(super) async fn enter(&self, tenant: TenantId, anteroom: Anteroom) -> Result<Room, NoRoom> {
        let mut place = self.tenants.enter(tenant).ok_or(NoRoom)?;
        let both = async {
            place.turn().await;
            Arc::clone(&self.process).acquire_owned().await
        };
        match timeout(self.wait, both).await {
            Ok(Ok(process)) => Ok(Room {
                _process: process,
                _tenant: place,
                _sensor: anteroom.0,
            }),
            // The semaphore is never closed.
            Ok(Err(_)) | Err(_) => Err(NoRoom),
        }
    }

    /// Room for a call whose one message is there already.
    pub(super) async fn at_once(&self, identity: &PeerIdentity, has_shown: bool) -> Result<Room, NoRoom> {
        let anteroom = self.begin(identity.sensor, has_shown).await?;
        self.enter(identity.tenant, anteroom).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt as _;
    use portolan_shared::process::SystemRng;

    #[tokio::test]
    async fn a_sensor_has_four_calls_and_a_tenant_half_of_all() {
        let rooms = Rooms::new(12, Duration::MAX);
        let tenant = TenantId::random(&SystemRng);
        let mut held = Vec::new();
        for calls in [4, 2] {
            let sensor = SensorId::random(&SystemRng);
            for _ in 0..calls {
                let anteroom = rooms.begin(sensor, true).await.unwrap();
                held.push(rooms.enter(tenant, anteroom).await.unwrap());
            }
            if calls == OF_SENSOR {
                assert!(
                    rooms.begin(sensor, true).now_or_never().is_none(),
                    "a fifth call waits"
                );
                let stranger = rooms.begin(sensor, false).now_or_never();
                assert!(stranger.is_some(), "whoever has shown no fence has room apart");
            } else {
                let anteroom = rooms.begin(sensor, true).await.unwrap();
                let seventh = rooms.enter(tenant, anteroom);
                assert!(seventh.now_or_never().is_none(), "the tenant has its half");
            }
        }
        let sensor = SensorId::random(&SystemRng);
        let anteroom = rooms.begin(sensor, true).await.unwrap();
        let other = rooms.enter(TenantId::random(&SystemRng), anteroom);
        assert!(
            other.now_or_never().is_some(),
            "another tenant has the other half"
        );
    }

    #[tokio::test]
    async fn whoever_waits_too_long_is_told_so() {
        let rooms = Rooms::new(1, Duration::from_millis(20));
        let tenant = TenantId::random(&SystemRng);
        let [one, two] = [(); 2].map(|()| SensorId::random(&SystemRng));
        let anteroom = rooms.begin(one, true).await.unwrap();
        let _room = rooms.enter(tenant, anteroom).await.unwrap();
        let anteroom = rooms.begin(two, true).await.unwrap();
        assert!(rooms.enter(tenant, anteroom).await.is_err());
    }
}
