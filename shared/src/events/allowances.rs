//! How often each may do something.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use crate::process::{Pace, Uptime};

/// So much for each key: so many at once, and so many a second in the long run. What is used is told afterwards, so that it can be what came to
/// nothing alone: whoever is believed uses nothing up, and what others use up in vain from the same address is not taken from it.
#[derive(Debug)]
pub struct Allowances<K> {
    interval: Duration,
    /// How far ahead of its rate a key may be.
    ahead: Duration,
    keys: usize,
    paces: HashMap<K, Pace>,
}

impl<K: Eq + Hash> Allowances<K> {
    /// `per_second` in the long run and `at_once`, one at least, for each key. At most `keys` are remembered: beyond, those that have their whole allowance again
    /// are forgotten; if there are none, further ones are not remembered and have theirs.
    #[must_use]
    pub fn new(per_second: u32, at_once: u32, keys: usize) -> Self {
        let interval = Duration::from_secs(1) / per_second.max(1);
        Self {
            interval,
            ahead: interval * at_once.saturating_sub(1),
            keys,
            paces: HashMap::new(),
        }
    }

    /// Whether this key has something left.
    #[must_use]
    pub fn is_left(&self, key: &K, now: Uptime) -> bool {
        let pace = self.paces.get(key);
        pace.is_none_or(|pace| pace.is_due(self.ahead, now))
    }

    /// Uses one up. Of whoever has nothing left, nothing more is taken.
    pub fn use_up(&mut self, key: K, now: Uptime) {
        if self.paces.len() >= self.keys && !self.paces.contains_key(&key) {
            self.paces.retain(|_, pace| !pace.is_over(now));
            if self.paces.len() >= self.keys {
                return;
            }
        }
        let pace = self.paces.entry(key).or_default();
        if pace.is_due(self.ahead, now) {
            pace.take(self.interval, self.ahead, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Uptime {
        Uptime(Duration::from_millis(millis))
    }

    #[test]
    fn each_key_has_so_many_at_once_and_then_its_rate() {
        let mut allowances = Allowances::new(1_000, 50, 10);
        let mut uses = |key, count: u32, now| {
            let mut used = 0;
            for _ in 0..count {
                if allowances.is_left(&key, at(now)) {
                    allowances.use_up(key, at(now));
                    used += 1;
                }
            }
            used
        };
        assert_eq!(uses('a', 70, 10), 50);
        assert_eq!(uses('b', 1, 10), 1, "another key has its own");
        assert_eq!(uses('a', 10, 14), 4);
        assert_eq!(uses('a', 100, 10_000), 50, "no more is saved up than at once");
        // What was used up though nothing was left, because it was under way together, is not owed.
        (0..500).for_each(|_| allowances.use_up('a', at(10_000)));
        assert!(!allowances.is_left(&'a', at(10_000)));
        assert!(allowances.is_left(&'a', at(10_001)));
    }

    #[test]
    fn so_many_keys_are_remembered_and_the_others_are_not_kept_out() {
        let mut allowances = Allowances::new(1_000, 1, 3);
        (0..4).for_each(|key| allowances.use_up(key, at(0)));
        let left: Vec<i32> = (0..4).filter(|key| allowances.is_left(key, at(0))).collect();
        assert_eq!((left, allowances.paces.len()), (vec![3], 3));
        allowances.use_up(3, at(1));
        assert!(!allowances.is_left(&3, at(1)));
        assert_eq!(allowances.paces.len(), 1, "those who rest are forgotten");
    }
}
