//! How many follow the feed at once: of a token, of a tenant, of all.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use portolan_shared::model::{ApiTokenId, TenantId, limits};

/// Places that are kept free for tenants that have fewer than others: while there are fewer, those go who are of a tenant with more than its
/// share.
const ROOM: usize = limits::FEED_READERS / 8;

// A proxy in front is one source: all who follow through it must leave most of its connections, and of all, to everybody else.
const _: () = assert!(limits::FEED_READERS * 2 <= limits::HTTP_CONNECTIONS_PER_SOURCE);
const _: () = assert!(limits::HTTP_CONNECTIONS_PER_SOURCE * 2 <= limits::HTTP_CONNECTIONS);
const _: () = assert!(limits::HTTP_CONNECTIONS_PER_SOURCE_MOST + ROOM <= limits::HTTP_CONNECTIONS);
const _: () = assert!(limits::FEED_READERS_PER_TENANT <= 64);
const _: () = assert!(limits::FEED_READERS_PER_TENANT * 2 <= limits::FEED_READERS);
const _: () = assert!(limits::FEED_READERS_PER_TOKEN * 2 <= limits::FEED_READERS_PER_TENANT);

/// The places of all who follow.
///
/// While there is room, a tenant may have as many as are left to others: half of all if it is alone. When room gets short, each has its share:
/// of all places, divided among the tenants that have some and one that is yet to come.
#[derive(Debug, Default)]
pub(super) struct Places {
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    all: usize,
    /// Of these, those whose readers were told to go.
    leaving: usize,
    of_tenant: HashMap<TenantId, OfTenant>,
    of_token: HashMap<ApiTokenId, usize>,
}

#[derive(Debug, Default, Clone, Copy)]
struct OfTenant {
    places: usize,
    leaving: usize,
}

/// One place; free again when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    tenant: TenantId,
    token: ApiTokenId,
    leaving: bool,
}

/// All that may be had are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Full {
    /// How many that are.
    pub(super) most: usize,
}

impl Places {
    /// A place for a token of a tenant.
    pub(super) fn enter(self: &Arc<Self>, tenant: TenantId, token: ApiTokenId) -> Result<Place, Full> {
        let mut held = self.held();
        let most = limits::FEED_READERS_PER_TOKEN;
        if held.of_token.get(&token).is_some_and(|places| *places >= most) {
            return Err(Full { most });
        }
        let had = held.of_tenant.get(&tenant).copied().unwrap_or_default().places;
        let free = limits::FEED_READERS - held.all;
        let fair = if free > ROOM {
            free
        } else {
            held.share(had == 0).min(free)
        };
        if had >= fair.min(limits::FEED_READERS_PER_TENANT) {
            return Err(Full { most: had });
        }
        held.all += 1;
        held.of_tenant.entry(tenant).or_default().places += 1;
        *held.of_token.entry(token).or_default() += 1;
        Ok(Place {
            places: Arc::clone(self),
            tenant,
            token,
            leaving: false,
        })
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// Of each tenant that follows, and of one more.
    fn share(&self, also_one_that_comes: bool) -> usize {
        let tenants = self.of_tenant.len() + usize::from(also_one_that_comes);
        (limits::FEED_READERS / (tenants + 1)).max(1)
    }
}

impl Place {
    /// Whether room is short and the tenant has more than its share, so that this one has to go. Says so to no more than have to.
    pub(super) fn must_yield(&mut self) -> bool {
        if self.leaving {
            return true;
        }
        let places = Arc::clone(&self.places);
        let mut held = places.held();
        let (free, share) = (limits::FEED_READERS - held.all + held.leaving, held.share(false));
        let Some(of_tenant) = held.of_tenant.get_mut(&self.tenant) else {
            return false;
        };
        if free >= ROOM || of_tenant.places - of_tenant.leaving <= share {
            return false;
        }
        of_tenant.leaving += 1;
        held.leaving += 1;
        self.leaving = true;
        true
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut held = self.places.held();
        held.all -= 1;
        held.leaving -= usize::from(self.leaving);
        if let Some(of_tenant) = held.of_tenant.get_mut(&self.tenant) {
            of_tenant.places -= 1;
            of_tenant.leaving -= usize::from(self.leaving);
        }
        forget_at(&mut held.of_tenant, self.tenant, |of_tenant| {
            of_tenant.places == 0
        });
        if let Some(of_token) = held.of_token.get_mut(&self.token) {
            *of_token -= 1;
        }
        forget_at(&mut held.of_token, self.token, |of_token| *of_token == 0);
    }
}

/// Nobody is remembered who has no place.
fn forget_at<K: Eq + Hash, V>(map: &mut HashMap<K, V>, key: K, is_empty: impl Fn(&V) -> bool) {
    if let Entry::Occupied(entry) = map.entry(key)
        && is_empty(entry.get())
    {
        entry.remove();
    }
}

#[cfg(test)]
mod tests;
