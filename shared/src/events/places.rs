//! Places for what is being taken in.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

/// So many places, and so many of one key: who finds none of its own is refused. Where all are taken, whoever has fewer than another gets one that the
/// other has not filled yet: so nobody is kept out by one who holds many and fills none.
#[derive(Debug)]
pub struct Places<K: Copy + Ord> {
    all: usize,
    each: usize,
    /// Who has its own taken gets the one of them that is not filled for longest.
    gives_way: bool,
    taken: Mutex<Taken<K>>,
}

#[derive(Debug)]
struct Taken<K> {
    next: u64,
    /// The oldest first.
    places: BTreeMap<u64, Entry<K>>,
}

#[derive(Debug)]
struct Entry<K> {
    key: K,
    /// Cancelled when somebody else gets the place; none once it is filled, and stays.
    leave: Option<CancellationToken>,
}

/// A place; it is given back when this is dropped.
#[derive(Debug)]
pub struct Place<'p, K: Copy + Ord> {
    places: &'p Places<K>,
    number: u64,
    leave: CancellationToken,
}

impl<K: Copy + Ord> Places<K> {
    /// `all` together, `each` for one key.
    #[must_use]
    pub const fn new(all: usize, each: usize) -> Self {
        Self {
            all,
            each,
            gives_way: false,
            taken: Mutex::new(Taken {
                next: 0,
                places: BTreeMap::new(),
            }),
        }
    }

    /// The same for those of whom nobody knows yet whether they are who they say: where a key has its own taken, whoever comes next gets the one of
    /// them that is not filled for longest, and is not kept out by strangers who use its key. Where all are genuine, that would be a reason for none to
    /// come to an end: they wait for their turn.
    #[must_use]
    pub const fn giving_way(mut self) -> Self {
        self.gives_way = true;
        self
    }

    /// A place, if there is one for this key.
    pub fn take(&self, key: K) -> Option<Place<'_, K>> {
        let mut taken = self.lock();
        let own = taken.places.values().filter(|entry| entry.key == key).count();
        let is_free = if own >= self.each {
            self.gives_way && taken.give_up_own(key)
        } else {
            taken.places.len() < self.all || taken.make_room(own)
        };
        if !is_free {
            return None;
        }
        let (number, leave) = (taken.next, CancellationToken::new());
        taken.next += 1;
        let entry = Entry {
            key,
            leave: Some(leave.clone()),
        };
        taken.places.insert(number, entry);
        Some(Place {
            places: self,
            number,
            leave,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Taken<K>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Copy + Ord> Taken<K> {
    /// Takes a place from whoever has most, the one that is not filled for longest, if that one has more than `own`. Gives whether there was one.
    fn make_room(&mut self, own: usize) -> bool {
        let mut counts: BTreeMap<K, usize> = BTreeMap::new();
        for entry in self.places.values() {
            *counts.entry(entry.key).or_default() += 1;
        }
        let unfilled = self.places.iter().filter(|(_, entry)| entry.leave.is_some());
        let of_most =
            unfilled.max_by_key(|(number, entry)| (counts.get(&entry.key), std::cmp::Reverse(**number)));
        let Some((number, entry)) = of_most else {
            return false;
        };
        if counts.get(&entry.key).is_none_or(|count| *count <= own) {
            return false;
        }
        let number = *number;
        self.give_up(number)
    }

    /// Takes the place of this key that is not filled for longest. Gives whether there was one.
    fn give_up_own(&mut self, key: K) -> bool {
        let unfilled = |(_, entry): &(&u64, &Entry<K>)| entry.key == key && entry.leave.is_some();
        let oldest = self.places.iter().find(unfilled).map(|(number, _)| *number);
        oldest.is_some_and(|number| self.give_up(number))
    }

    fn give_up(&mut self, number: u64) -> bool {
        let leave = self.places.remove(&number).and_then(|entry| entry.leave);
        leave.inspect(CancellationToken::cancel).is_some()
    }
}

impl<K: Copy + Ord> Place<'_, K> {
    /// Returns when somebody else has got the place.
    pub async fn lost(&self) {
        self.leave.cancelled().await;
    }

    /// It is filled, and stays until this is dropped. Gives whether it was not lost before.
    #[must_use]
    pub fn fill(&self) -> bool {
        let mut taken = self.places.lock();
        let entry = taken.places.get_mut(&self.number);
        entry.map(|entry| entry.leave = None).is_some()
    }
}

impl<K: Copy + Ord> Drop for Place<'_, K> {
    fn drop(&mut self) {
        self.places.lock().places.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_lost<K: Copy + Ord>(place: &Place<'_, K>) -> bool {
        place.leave.is_cancelled()
    }

    #[test]
    fn a_key_has_its_own_and_gives_them_back() {
        let places = Places::new(9, 2);
        let (first, second) = (places.take('a').unwrap(), places.take('a').unwrap());
        assert!(places.take('a').is_none());
        assert!(places.take('b').is_some(), "another key has its own");
        drop(first);
        assert!(places.take('a').is_some());
        assert!(!is_lost(&second), "nobody else needs it");
    }

    #[test]
    fn a_key_of_strangers_gives_way_to_the_next_of_its_own() {
        let places = Places::new(9, 2).giving_way();
        let (first, second) = (places.take('a').unwrap(), places.take('a').unwrap());
        let third = places.take('a').unwrap();
        assert_eq!((is_lost(&first), is_lost(&second)), (true, false), "its oldest");
        assert!(second.fill() && third.fill());
        assert!(places.take('a').is_none(), "what is filled stays");
        drop(third);
        assert!(places.take('a').is_some());
    }

    #[test]
    fn whoever_has_most_and_fills_nothing_makes_room() {
        let places = Places::new(4, 3);
        let held: Vec<_> = "baaa".chars().map(|key| places.take(key).unwrap()).collect();
        let lost = |held: &[Place<'_, char>]| held.iter().map(is_lost).collect::<Vec<_>>();
        let newcomer = places.take('c').unwrap();
        assert_eq!(lost(&held), [false, true, false, false], "its oldest");
        assert!(!held[1].fill(), "it is too late");
        assert!(held[2].fill());
        let second = places.take('c').unwrap();
        assert_eq!(lost(&held), [false, true, false, true], "what is filled stays");
        assert!(places.take('c').is_none(), "nobody has more than that one");
        let other = places.take('d').unwrap();
        assert!(is_lost(&newcomer), "now that one has most");
        assert!(places.take('e').is_some(), "whoever has none gets one");
        assert!(is_lost(&held[0]));
        drop((held, second, other));
        assert!(places.lock().places.is_empty(), "all are given back");
    }

    #[test]
    fn what_is_filled_is_taken_from_nobody() {
        let places = Places::new(2, 2);
        let held = [places.take('a').unwrap(), places.take('a').unwrap()];
        assert!(held.iter().all(Place::fill));
        assert!(places.take('b').is_none());
        drop(held);
        assert!(places.take('b').is_some());
    }

    #[tokio::test]
    async fn whoever_loses_its_place_hears_of_it() {
        let places = Places::new(1, 1);
        let place = places.take('a').unwrap();
        let waiting = async {
            place.lost().await;
            assert!(!place.fill());
        };
        let coming = async {
            tokio::task::yield_now().await;
            assert!(places.take('a').is_none(), "it has one");
            assert!(places.take('b').unwrap().fill(), "it has none");
        };
        tokio::join!(waiting, coming);
    }
}
