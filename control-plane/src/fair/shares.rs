//! So much at once for each key.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Semaphore;

/// How much each key may have at once. Keys are remembered only while somebody has, or waits for, something.
#[derive(Debug)]
pub(crate) struct Shares<K: Eq + Hash> {
    at_once: usize,
    bound: usize,
    held: Mutex<HashMap<K, Arc<Semaphore>>>,
}

/// A place among those of one key; given up when it is dropped.
#[derive(Debug)]
pub(crate) struct Place<K: Eq + Hash + Copy> {
    shares: Arc<Shares<K>>,
    key: K,
    /// Always there until the place is dropped.
    semaphore: Option<Arc<Semaphore>>,
    granted: bool,
}

impl<K: Eq + Hash + Copy> Shares<K> {
    /// Each key may have `at_once` of what is shared, and as many more wait for it that they are at most `bound` together.
    pub(crate) fn new(at_once: usize, bound: usize) -> Arc<Self> {
        let at_once = at_once.max(1);
        Arc::new(Self {
            at_once,
            bound: bound.max(at_once),
            held: Mutex::default(),
        })
    }

    /// A place in the queue of a key; `None` if its queue is full.
    pub(crate) fn enter(self: &Arc<Self>, key: K) -> Option<Place<K>> {
        let mut held = self.held();
        let semaphore = held
            .entry(key)
            .or_insert_with(|| Arc::new(Semaphore::new(self.at_once)));
        // One is the map's, one is that of each place: they are made and dropped under the lock alone.
        if Arc::strong_count(semaphore) > self.bound {
            return None;
        }
        Some(Place {
            shares: Arc::clone(self),
            key,
            semaphore: Some(Arc::clone(semaphore)),
            granted: false,
        })
    }

    fn held(&self) -> MutexGuard<'_, HashMap<K, Arc<Semaphore>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Eq + Hash + Copy> Place<K> {
    /// Waits until it is this place's turn. First come, first served.
    pub(crate) async fn turn(&mut self) {
        let Some(semaphore) = self.semaphore.as_ref().filter(|_| !self.granted) else {
            return;
        };
        if let Ok(permit) = semaphore.acquire().await {
            permit.forget();
            self.granted = true;
        }
    }
}

impl<K: Eq + Hash + Copy> Drop for Place<K> {
    fn drop(&mut self) {
        let mut held = self.shares.held();
        let Some(semaphore) = self.semaphore.take() else {
            return;
        };
        if self.granted {
            semaphore.add_permits(1);
        }
        drop(semaphore);
        if held
            .get(&self.key)
            .is_some_and(|semaphore| Arc::strong_count(semaphore) == 1)
        {
            held.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt as _;

    #[tokio::test]
    async fn each_key_has_its_share_and_its_queue_and_is_forgotten_after() {
        let shares = Shares::new(1, 2);
        let (mut first, mut second) = (shares.enter('a').unwrap(), shares.enter('a').unwrap());
        assert!(shares.enter('a').is_none(), "the queue is full");
        first.turn().await;
        assert!(second.turn().now_or_never().is_none(), "the share is used up");
        let mut other = shares.enter('b').unwrap();
        other.turn().now_or_never().unwrap();
        drop(first);
        second.turn().now_or_never().unwrap();
        second.turn().now_or_never().unwrap();
        let third = shares.enter('a').unwrap();
        drop(second);
        assert_eq!(shares.held().len(), 2);
        drop((third, other));
        assert!(shares.held().is_empty());
    }
}
