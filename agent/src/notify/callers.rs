//! What one address may take up.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Connections of one address.
pub(super) const CONNECTIONS: usize = 16;

/// Everybody who has a connection, and how many: no more than there are connections.
#[derive(Debug, Default)]
pub(super) struct Callers(Mutex<HashMap<IpAddr, usize>>);

/// A connection of one address; it is given back when this is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    callers: Arc<Callers>,
    caller: IpAddr,
}

/// Whose address it is: an IPv6 network hands 64 bits of it to each host.
pub(super) fn caller(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

impl Callers {
    /// One more connection of this address; none if it has too many.
    pub(super) fn enter(self: &Arc<Self>, source: IpAddr) -> Option<Seat> {
        let caller = caller(source);
        let mut callers = self.lock();
        let connections = callers.entry(caller).or_default();
        if *connections >= CONNECTIONS {
            return None;
        }
        *connections += 1;
        Some(Seat {
            callers: Arc::clone(self),
            caller,
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut callers = self.callers.lock();
        if let Some(connections) = callers.get_mut(&self.caller) {
            *connections -= 1;
            if *connections == 0 {
                callers.remove(&self.caller);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_so_many_connections_and_is_forgotten_with_the_last() {
        let callers = Arc::new(Callers::default());
        let one: IpAddr = "2001:db8::1".parse().unwrap();
        let neighbour: IpAddr = "2001:db8::2".parse().unwrap();
        let other: IpAddr = "2001:db8:0:1::1".parse().unwrap();
        let mut seats: Vec<Seat> = (0..CONNECTIONS).filter_map(|_| callers.enter(one)).collect();
        assert_eq!(seats.len(), CONNECTIONS);
        assert!(
            callers.enter(neighbour).is_none(),
            "the same host for all that is known"
        );
        assert!(callers.enter(other).is_some());
        seats.pop();
        assert!(callers.enter(one).is_some());
        seats.clear();
        assert!(callers.lock().is_empty());
    }
}
