//! Who is connected.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use portolan_shared::model::SensorId;
use portolan_shared::tls::PeerIdentity;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::fair::Source;

/// Connections of one sensor for each purpose, so that an old and a new one may overlap. Above, a new session takes the place of one that has
/// not said hello, and a new upload that of those that have not shown a fence of the session that stands; else the newest is refused. So
/// nobody who has no more than the sensor's certificate and key holds its places.
const PER_PURPOSE: usize = 2;
/// Connections of one sensor in all. One more than it has purposes for, so that there is always one that a newcomer can take the place of.
const PER_SENSOR: usize = 2 * PER_PURPOSE + 1;
/// The same with those that were cut and are not closed yet: dropped above.
const PER_SENSOR_CLOSING: usize = 2 * PER_SENSOR;

/// The serial of a certificate.
pub(in crate::grpc) type Serial = [u8; 16];

/// What a connection is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::grpc) enum Purpose {
    /// The session stream, and renewal.
    Session,
    /// Uploads.
    Upload,
}

/// Why a connection may not be used for something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::grpc) enum Unclaimed {
    /// It is used for something else: an upload would hold heartbeats up.
    OtherPurpose,
    /// The sensor has too many others for that.
    TooMany,
}

/// One connection, for as long as it is open.
#[derive(Debug)]
pub(in crate::grpc) struct Connection {
    id: u64,
    pub(in crate::grpc) remote: SocketAddr,
    /// None for a stranger.
    pub(in crate::grpc) identity: Option<PeerIdentity>,
    pub(in crate::grpc) cut: CancellationToken,
    purpose: watch::Sender<Option<Purpose>>,
    /// Its session has said hello.
    greeted: AtomicBool,
    /// The session of the last fence that an upload on it has shown and that held; 0 if none did.
    shown: AtomicU64,
}

impl Connection {
    fn new(id: u64, remote: SocketAddr, identity: Option<PeerIdentity>) -> Self {
        Self {
            id,
            remote,
            identity,
            cut: CancellationToken::new(),
            purpose: watch::Sender::new(None),
            greeted: AtomicBool::new(false),
            shown: AtomicU64::new(0),
        }
    }

    /// Whether it is used for this already.
    pub(in crate::grpc) fn is_for(&self, purpose: Purpose) -> bool {
        *self.purpose.borrow() == Some(purpose)
    }

    /// Notes that its session has said hello: from here on it ends by its own rules, and no other takes its place.
    pub(in crate::grpc) fn greeted(&self) {
        self.greeted.store(true, Ordering::Release);
    }

    /// Notes that an upload on it has shown a fence of this session that holds: from here on, and while that session stands, no other takes
    /// its place.
    pub(in crate::grpc) fn showed(&self, epoch: u64) {
        self.shown.store(epoch, Ordering::Release);
    }

    /// Whether it has shown a fence of the session that stands; of any, if that is not known here.
    pub(in crate::grpc) fn has_shown(&self, standing: Option<u64>) -> bool {
        let shown = self.shown.load(Ordering::Acquire);
        standing.map_or(shown > 0, |epoch| shown == epoch)
    }

    /// What it is used for, and when that changes.
    pub(super) fn uses(&self) -> watch::Receiver<Option<Purpose>> {
        self.purpose.subscribe()
    }

    fn is_unused(&self) -> bool {
        self.purpose.borrow().is_none()
    }
}

/// Every connection of this process.
#[derive(Debug, Default)]
pub struct Connections {
    next: AtomicU64,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    sensors: HashMap<SensorId, Vec<Arc<Connection>>>,
    strangers: HashMap<u64, Arc<Connection>>,
}

impl Connections {
    /// None.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a connection in, unless there are too many of its kind: of strangers a quarter may come from one source.
    pub(super) fn enter(
        &self,
        remote: SocketAddr,
        identity: Option<PeerIdentity>,
        strangers: usize,
    ) -> Option<Arc<Connection>> {
        let connection = self.connection(remote, identity);
        let mut open = self.open();
        match identity {
            Some(identity) => {
                let held = open.sensors.entry(identity.sensor).or_default();
                if held.len() >= PER_SENSOR {
                    return None;
                }
                held.push(Arc::clone(&connection));
            }
            None => {
                let source = Source::of(remote.ip());
                let beside = |other: &&Arc<Connection>| Source::of(other.remote.ip()) == source;
                if open.strangers.len() >= strangers
                    || open.strangers.values().filter(beside).count() >= quarter(strangers)
                {
                    return None;
                }
                open.strangers.insert(connection.id, Arc::clone(&connection));
            }
        }
        Some(connection)
    }

    /// Lets a connection of a sensor in whose places are all taken: for it, the oldest of those that are used for nothing is cut, and one
    /// with a certificate that is not `good` before all others. Only who may open sessions is to get here.
    pub(super) fn enter_instead(
        &self,
        remote: SocketAddr,
        identity: PeerIdentity,
        good: impl Fn(&Serial) -> bool,
    ) -> Option<Arc<Connection>> {
        let connection = self.connection(remote, Some(identity));
        let mut open = self.open();
        let held = open.sensors.entry(identity.sensor).or_default();
        if held.len() >= PER_SENSOR_CLOSING {
            return None;
        }
        let staying = held.iter().filter(|other| !other.cut.is_cancelled());
        if staying.clone().count() >= PER_SENSOR {
            let is_good =
                |other: &Arc<Connection>| other.identity.is_some_and(|identity| good(&identity.serial));
            let unused = staying.filter(|other| other.is_unused());
            unused
                .min_by_key(|other| (is_good(other), other.id))?
                .cut
                .cancel();
        }
        held.push(Arc::clone(&connection));
        Some(connection)
    }

    fn connection(&self, remote: SocketAddr, identity: Option<PeerIdentity>) -> Arc<Connection> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        Arc::new(Connection::new(id, remote, identity))
    }

    /// Where a sensor's connections come from, the oldest first.
    pub(super) fn sources(&self, sensor: SensorId) -> Vec<SocketAddr> {
        self.of(sensor)
            .iter()
            .map(|connection| connection.remote)
            .collect()
    }

    /// Forgets a connection that was closed.
    pub(super) fn leave(&self, connection: &Connection) {
        let mut open = self.open();
        match connection.identity {
            Some(identity) => {
                if let Some(held) = open.sensors.get_mut(&identity.sensor) {
                    held.retain(|other| other.id != connection.id);
                    if held.is_empty() {
                        open.sensors.remove(&identity.sensor);
                    }
                }
            }
            None => {
                open.strangers.remove(&connection.id);
            }
        }
    }

    /// Notes what a connection is used for, at its first call. `standing`: the session of its sensor, if it is known here.
    pub(in crate::grpc) fn claim(
        &self,
        connection: &Connection,
        purpose: Purpose,
        standing: Option<u64>,
    ) -> Result<(), Unclaimed> {
        let Some(identity) = connection.identity else {
            return Ok(());
        };
        let open = self.open();
        let held = *connection.purpose.borrow();
        match held {
            None => {}
            Some(held) if held == purpose => return Ok(()),
            Some(_) => return Err(Unclaimed::OtherPurpose),
        }
        let others = open.sensors.get(&identity.sensor).into_iter().flatten();
        let others: Vec<_> = others
            .filter(|other| other.id != connection.id && !other.cut.is_cancelled() && other.is_for(purpose))
            .collect();
        if others.len() >= PER_PURPOSE {
            let is_silent = |other: &&&Arc<Connection>| match purpose {
                Purpose::Session => !other.greeted.load(Ordering::Acquire),
                Purpose::Upload => !other.has_shown(standing),
            };
            let mut silent: Vec<_> = others.iter().filter(is_silent).collect();
            silent.sort_by_key(|other| other.id);
            let going = match purpose {
                Purpose::Session => 1,
                // All of them: what they hold of the room for uploads goes with them.
                Purpose::Upload => silent.len(),
            };
            if silent.is_empty() {
                return Err(Unclaimed::TooMany);
            }
            silent[..going].iter().for_each(|other| other.cut.cancel());
        }
        connection.purpose.send_replace(Some(purpose));
        Ok(())
    }

    /// Notes that a connection is not used for its purpose any more: another one may take its place before it is closed.
    pub(in crate::grpc) fn release(&self, connection: &Connection) {
        connection.greeted.store(false, Ordering::Release);
        connection.purpose.send_replace(None);
    }

    /// Cuts every connection of a sensor.
    pub fn cut(&self, sensor: SensorId) {
        self.of(sensor)
            .iter()
            .for_each(|connection| connection.cut.cancel());
    }

    /// Connections of a sensor that were made with another certificate than this one.
    pub(in crate::grpc) fn with_other_certificates(&self, identity: &PeerIdentity) -> Vec<Arc<Connection>> {
        let mut others = self.of(identity.sensor);
        others.retain(|other| other.identity.is_some_and(|held| held.serial != identity.serial));
        others
    }

    /// Cuts everything.
    pub fn cut_all(&self) {
        let open = self.open();
        let strangers = open.strangers.values();
        let sensors = open.sensors.values().flatten();
        strangers
            .chain(sensors)
            .for_each(|connection| connection.cut.cancel());
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        let open = self.open();
        open.strangers.len() + open.sensors.values().map(Vec::len).sum::<usize>()
    }

    fn of(&self, sensor: SensorId) -> Vec<Arc<Connection>> {
        self.open().sensors.get(&sensor).cloned().unwrap_or_default()
    }
}

/// What one source may have of something that there is so much of.
pub(super) fn quarter(all: usize) -> usize {
    (all / 4).max(1)
}

#[cfg(test)]
#[path = "registry_tests.rs"]
mod tests;
