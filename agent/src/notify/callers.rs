//! What one address may take up.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use portolan_shared::process::Uptime;

/// Addresses that are remembered: while all of them have connections, or have just had many requests, no further one is let in.
pub(super) const REMEMBERED: usize = 1_024;
/// Connections of one address.
pub(super) const CONNECTIONS: usize = 16;
/// Requests of one address: so far apart, in the long run. Registries tell of pulls as well, unless told not to.
const INTERVAL: Duration = Duration::from_millis(1);
/// Requests of one address at once.
pub(super) const BURST: u32 = 5_000;

/// What is remembered of one address.
#[derive(Debug, Default)]
struct Standing {
    connections: usize,
    /// When it may send a full burst again.
    rested_at: Duration,
}

/// Everybody who has a connection, or had one lately.
#[derive(Debug, Default)]
pub(super) struct Callers(Mutex<HashMap<IpAddr, Standing>>);

/// A connection of one address; it is given back when this is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    callers: Arc<Callers>,
    caller: IpAddr,
}

/// Whose address it is: an IPv6 network hands 64 bits of it to each host.
fn caller(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

impl Callers {
    /// One more connection of this address; none if it has too many, or too many addresses are remembered.
    pub(super) fn enter(self: &Arc<Self>, source: IpAddr, now: Uptime) -> Option<Seat> {
        let caller = caller(source);
        let mut callers = self.lock();
        if callers.len() >= REMEMBERED && !callers.contains_key(&caller) {
            callers.retain(|_, standing| standing.connections > 0 || standing.rested_at > now.0);
            if callers.len() >= REMEMBERED {
                return None;
            }
        }
        let standing = callers.entry(caller).or_default();
        if standing.connections >= CONNECTIONS {
            return None;
        }
        standing.connections += 1;
        Some(Seat {
            callers: Arc::clone(self),
            caller,
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, Standing>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// Whether one more request may be answered now. One that may not takes nothing from later ones.
    pub(super) fn may_ask(&self, now: Uptime) -> bool {
        let mut callers = self.callers.lock();
        let standing = callers.entry(self.caller).or_default();
        let next = standing.rested_at.max(now.0) + INTERVAL;
        let may = next <= now.0 + INTERVAL * BURST;
        if may {
            standing.rested_at = next;
        }
        may
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(standing) = self.callers.lock().get_mut(&self.caller) {
            standing.connections = standing.connections.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Uptime {
        Uptime(Duration::from_millis(millis))
    }

    fn address(n: usize) -> IpAddr {
        IpAddr::V4(std::net::Ipv4Addr::from_bits(u32::try_from(n).unwrap()))
    }

    #[test]
    fn an_address_has_so_many_connections_and_no_more() {
        let callers = Arc::new(Callers::default());
        let one: IpAddr = "2001:db8::1".parse().unwrap();
        let neighbour: IpAddr = "2001:db8::2".parse().unwrap();
        let other: IpAddr = "2001:db8:0:1::1".parse().unwrap();
        let mut seats: Vec<Seat> = (0..CONNECTIONS)
            .filter_map(|_| callers.enter(one, at(0)))
            .collect();
        assert_eq!(seats.len(), CONNECTIONS);
        assert!(
            callers.enter(neighbour, at(0)).is_none(),
            "the same host for all that is known"
        );
        assert!(callers.enter(other, at(0)).is_some());
        seats.pop();
        assert!(callers.enter(one, at(0)).is_some());
    }

    #[test]
    fn an_address_has_its_burst_and_then_its_rate() {
        let callers = Arc::new(Callers::default());
        let seat = callers.enter(address(1), at(0)).unwrap();
        let asks = |count: u32, now| (0..count).filter(|_| seat.may_ask(at(now))).count();
        assert_eq!(asks(BURST + 500, 10), 5_000);
        assert_eq!(asks(10, 10), 0);
        assert_eq!(asks(10, 14), 4, "what was refused took nothing");
        let second = callers.enter(address(1), at(14)).unwrap();
        assert!(!second.may_ask(at(14)), "over another connection neither");
        drop((seat, second));
        let again = callers.enter(address(1), at(14)).unwrap();
        assert!(!again.may_ask(at(14)), "nor over a later one");
        assert!(again.may_ask(at(10_000)));
    }

    #[test]
    fn so_many_addresses_are_remembered() {
        let callers = Arc::new(Callers::default());
        let seats: Vec<Seat> = (0..REMEMBERED)
            .filter_map(|n| callers.enter(address(n), at(0)))
            .collect();
        assert!(callers.enter(address(REMEMBERED), at(0)).is_none());
        assert!(callers.enter(address(0), at(0)).is_some(), "one that is known");
        assert!(seats[0].may_ask(at(0)));
        drop(seats);
        assert!(callers.enter(address(REMEMBERED), at(0)).is_some());
        assert_eq!(callers.lock().len(), 2, "those who rest are forgotten");
    }
}
