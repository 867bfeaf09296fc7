//! Which events the door has taken already.
//!
//! Known in this process alone: where several control planes share a database, an event that is repeated at another one is taken once more. That costs
//! one more look at what it names, which is what an event costs anyway.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use portolan_shared::events::{EventId, Seen};
use portolan_shared::model::limits::SEEN_REGISTRIES;
use portolan_shared::model::{RegistryId, TenantId};

/// The last events of each registry.
#[derive(Debug, Default)]
pub(super) struct SeenEvents(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    registries: HashMap<(TenantId, RegistryId), Heard>,
    /// Grows with each event that is noted.
    turn: u64,
}

#[derive(Debug, Default)]
struct Heard {
    seen: Seen,
    last: u64,
}

impl SeenEvents {
    /// Whether it was noted before.
    pub(super) fn knows(&self, place: (TenantId, RegistryId), id: &EventId) -> bool {
        let known = self.known();
        known
            .registries
            .get(&place)
            .is_some_and(|heard| heard.seen.knows(id))
    }

    /// Keeps in mind what is durable from now on: what is not, its sender is to send again.
    pub(super) fn note<'a>(&self, place: (TenantId, RegistryId), ids: impl Iterator<Item = &'a EventId>) {
        let mut ids = ids.peekable();
        if ids.peek().is_none() {
            return;
        }
        let mut known = self.known();
        known.turn += 1;
        let turn = known.turn;
        if known.registries.len() >= SEEN_REGISTRIES && !known.registries.contains_key(&place) {
            let oldest = known.registries.iter().min_by_key(|(_, heard)| heard.last);
            let oldest = oldest.map(|(place, _)| *place);
            oldest.and_then(|oldest| known.registries.remove(&oldest));
        }
        let heard = known.registries.entry(place).or_default();
        heard.last = turn;
        for id in ids {
            heard.seen.note(id);
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use portolan_shared::process::SeededRng;

    #[test]
    fn ids_are_each_registrys_own_and_the_registry_that_is_silent_longest_is_forgotten() {
        let rng = SeededRng::new(1);
        let (seen, tenant) = (SeenEvents::default(), TenantId::random(&rng));
        let id: EventId = "1".parse().unwrap();
        let places: Vec<_> = (0..=SEEN_REGISTRIES)
            .map(|_| (tenant, RegistryId::random(&rng)))
            .collect();
        for place in &places[..SEEN_REGISTRIES] {
            assert!(!seen.knows(*place, &id));
            seen.note(*place, std::iter::once(&id));
        }
        assert!(
            places[..SEEN_REGISTRIES]
                .iter()
                .all(|place| seen.knows(*place, &id))
        );
        // The first one speaks again, so that the second is the oldest.
        seen.note(places[0], std::iter::once(&"2".parse().unwrap()));
        seen.note(places[SEEN_REGISTRIES], std::iter::once(&id));
        let forgotten: Vec<usize> = (0..places.len())
            .filter(|at| !seen.knows(places[*at], &id))
            .collect();
        assert_eq!(forgotten, [1]);
        seen.note((tenant, RegistryId::random(&rng)), std::iter::empty());
        assert!(seen.knows(places[2], &id), "nothing is forgotten for nothing");
    }
}
