//! How often each may do something.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use crate::process::Uptime;

/// So much for each key: so many at once, and so many a second in the long run. What is used is told afterwards, so that it can be what came to
/// nothing alone: whoever is believed uses nothing up, and what others use up in vain from the same address is not taken from it.
#[derive(Debug)]
pub struct Allowances<K> {
    interval: Duration,
    at_once: u32,
    keys: usize,
    /// When each has its whole allowance again.
    rested_at: HashMap<K, Uptime>,
}

impl<K: Eq + Hash> Allowances<K> {
    /// `per_second` in the long run and `at_once` for each key. At most `keys` are remembered: beyond, those that have their whole allowance again
    /// are forgotten; if there are none, further ones are not remembered and have theirs.
    #[must_use]
    pub fn new(per_second: u32, at_once: u32, keys: usize) -> Self {
        Self {
            interval: Duration::from_secs(1) / per_second.max(1),
            at_once,
            keys,
            rested_at: HashMap::new(),
        }
    }

    /// Whether this key has something left.
    #[must_use]
    pub fn is_left(&self, key: &K, now: Uptime) -> bool {
        let rested_at = self.rested_at.get(key).map_or(now, |rested_at| *rested_at);
        rested_at.0.max(now.0) + self.interval <= self.latest(now).0
    }

    /// Uses one up. Of whoever has nothing left, nothing more is taken.
    pub fn use_up(&mut self, key: K, now: Uptime) {
        if self.rested_at.len() >= self.keys && !self.rested_at.contains_key(&key) {
            self.rested_at.retain(|_, rested_at| *rested_at > now);
            if self.rested_at.len() >= self.keys {
                return;
            }
        }
        let latest = self.latest(now);
        let rested_at = self.rested_at.entry(key).or_insert(now);
        *rested_at = Uptime(rested_at.0.max(now.0) + self.interval).min(latest);
    }

    /// When whoever has nothing left now has its whole allowance again.
    fn latest(&self, now: Uptime) -> Uptime {
        Uptime(now.0 + self.interval * self.at_once)
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
        assert_eq!((left, allowances.rested_at.len()), (vec![3], 3));
        allowances.use_up(3, at(1));
        assert!(!allowances.is_left(&3, at(1)));
        assert_eq!(allowances.rested_at.len(), 1, "those who rest are forgotten");
    }
}
