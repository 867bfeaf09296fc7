//! Who is connected.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use portolan_shared::model::SensorId;
use portolan_shared::tls::PeerIdentity;
use tokio_util::sync::CancellationToken;

use crate::fair::Source;

/// Connections of one sensor for each purpose, so that an old and a new one may overlap: the newest is refused above.
const PER_PURPOSE: usize = 2;
/// Connections of one sensor in all: dropped above.
const PER_SENSOR: usize = 2 * PER_PURPOSE + 1;

/// What a connection is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(in crate::grpc) enum Purpose {
    /// The session stream, and renewal.
    Session = 1,
    /// Uploads.
    Upload = 2,
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
    purpose: AtomicU8,
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
        let connection = Arc::new(Connection {
            id: self.next.fetch_add(1, Ordering::Relaxed),
            remote,
            identity,
            cut: CancellationToken::new(),
            purpose: AtomicU8::new(0),
        });
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

    /// Notes what a connection is used for, at its first call.
    pub(in crate::grpc) fn claim(&self, connection: &Connection, purpose: Purpose) -> Result<(), Unclaimed> {
        let Some(identity) = connection.identity else {
            return Ok(());
        };
        let open = self.open();
        match connection.purpose.load(Ordering::Acquire) {
            0 => {}
            held if held == purpose as u8 => return Ok(()),
            _ => return Err(Unclaimed::OtherPurpose),
        }
        let others = open
            .sensors
            .get(&identity.sensor)
            .into_iter()
            .flatten()
            .filter(|other| {
                other.id != connection.id
                    && !other.cut.is_cancelled()
                    && other.purpose.load(Ordering::Acquire) == purpose as u8
            })
            .count();
        if others >= PER_PURPOSE {
            return Err(Unclaimed::TooMany);
        }
        connection.purpose.store(purpose as u8, Ordering::Release);
        Ok(())
    }

    /// Notes that a connection is not used for its purpose any more: another one may take its place before it is closed.
    pub(in crate::grpc) fn release(&self, connection: &Connection) {
        connection.purpose.store(0, Ordering::Release);
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
mod tests {
    use super::*;
    use jiff::Timestamp;
    use portolan_shared::model::TenantId;
    use portolan_shared::process::SeededRng;

    fn identity() -> PeerIdentity {
        let rng = SeededRng::new(4);
        PeerIdentity {
            tenant: TenantId::random(&rng),
            sensor: SensorId::random(&rng),
            serial: [1; 16],
            not_before: Timestamp::UNIX_EPOCH,
            not_after: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_sensor_has_two_connections_a_purpose_and_the_newest_is_refused() {
        let connections = Connections::new();
        let remote = SocketAddr::from(([127, 0, 0, 1], 1));
        let enter = || connections.enter(remote, Some(identity()), 0);
        let all: Vec<_> = (0..PER_SENSOR).map(|_| enter().unwrap()).collect();
        assert!(enter().is_none());
        let claim = |which: usize, purpose| connections.claim(&all[which], purpose);
        assert_eq!(claim(0, Purpose::Session), Ok(()));
        assert_eq!(claim(1, Purpose::Session), Ok(()));
        assert_eq!(claim(2, Purpose::Session), Err(Unclaimed::TooMany));
        assert_eq!(claim(2, Purpose::Upload), Ok(()));
        assert_eq!(claim(0, Purpose::Session), Ok(()), "again");
        assert_eq!(claim(0, Purpose::Upload), Err(Unclaimed::OtherPurpose));
        assert_eq!(claim(2, Purpose::Session), Err(Unclaimed::OtherPurpose));
        all[0].cut.cancel();
        assert_eq!(
            claim(3, Purpose::Session),
            Ok(()),
            "one that is cut does not count"
        );
        assert_eq!(claim(4, Purpose::Session), Err(Unclaimed::TooMany));
        connections.release(&all[3]);
        assert_eq!(claim(4, Purpose::Session), Ok(()));
        all.iter().for_each(|connection| connections.leave(connection));
        assert_eq!(connections.count(), 0);
    }

    #[test]
    fn strangers_are_bounded_in_all_and_from_one_source() {
        let connections = Connections::new();
        let enter = |host: u8, port: u16| {
            let remote = SocketAddr::from(([192, 0, 2, host], port));
            connections.enter(remote, None, 4)
        };
        let first = enter(1, 1).unwrap();
        assert!(enter(1, 2).is_none(), "a quarter is one");
        let others: Vec<_> = (2..=4).map(|host| enter(host, 1).unwrap()).collect();
        assert!(enter(5, 1).is_none(), "there are four");
        connections.leave(&first);
        assert!(enter(1, 2).is_some());
        assert_eq!(connections.count(), others.len() + 1);
        connections.cut_all();
    }
}
