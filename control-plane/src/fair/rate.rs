//! Token buckets: one, and one a key.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use portolan_shared::process::Uptime;

use crate::settings::RateLimit;

/// A token bucket.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bucket {
    limit: RateLimit,
    tokens: f64,
    filled: Uptime,
}

impl Bucket {
    /// A full bucket.
    pub(crate) fn new(limit: RateLimit, now: Uptime) -> Self {
        Self {
            limit,
            tokens: limit.burst,
            filled: now,
        }
    }

    /// Takes a token, or says how long until there is one.
    pub(crate) fn take(&mut self, now: Uptime) -> Result<(), Duration> {
        let passed = now.since(self.filled).as_secs_f64();
        self.tokens = (self.tokens + passed * self.limit.per_second).min(self.limit.burst);
        self.filled = now;
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return Ok(());
        }
        let missing = (1.0 - self.tokens) / self.limit.per_second.max(1e-6);
        Err(Duration::from_secs_f64(missing.min(3_600.0)))
    }

    fn is_full(&self, now: Uptime) -> bool {
        let passed = now.since(self.filled).as_secs_f64();
        self.tokens + passed * self.limit.per_second >= self.limit.burst
    }
}

/// Keys that are remembered at once. Above, those whose buckets are full again are forgotten; if there are none, new keys are refused.
const KEYS: usize = 10_000;

/// A token bucket for every key.
pub(crate) struct Buckets<K> {
    limit: RateLimit,
    buckets: Mutex<HashMap<K, Bucket>>,
}

impl<K: Eq + Hash> Buckets<K> {
    /// No keys yet.
    pub(crate) fn new(limit: RateLimit) -> Self {
        Self {
            limit,
            buckets: Mutex::default(),
        }
    }

    /// Takes a token of a key, or says how long until there is one.
    pub(crate) fn take(&self, key: K, now: Uptime) -> Result<(), Duration> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= KEYS && !buckets.contains_key(&key) {
            buckets.retain(|_, bucket| !bucket.is_full(now));
            if buckets.len() >= KEYS {
                return Err(Duration::from_secs(60));
            }
        }
        buckets
            .entry(key)
            .or_insert_with(|| Bucket::new(self.limit, now))
            .take(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(millis: u64) -> Uptime {
        Uptime(Duration::from_millis(millis))
    }

    #[test]
    fn forgets_full_buckets_at_its_bound_and_refuses_when_there_are_none() {
        let buckets = Buckets::new(RateLimit::new(1.0, 2.0));
        for key in 0..KEYS {
            buckets.take(key, at(0)).unwrap();
        }
        assert!(buckets.take(KEYS, at(0)).is_err());
        buckets.take(KEYS, at(1_000)).unwrap();
    }

    proptest! {
        #[test]
        fn never_lets_more_through_than_rate_and_burst(
            steps in proptest::collection::vec(0_u64..400, 1..200), rate in 1_u32..50, burst in 1_u32..20,
        ) {
            let mut bucket = Bucket::new(RateLimit::new(rate.into(), burst.into()), at(0));
            let (mut now, mut through) = (0, 0_u32);
            for step in steps {
                now += step;
                match bucket.take(at(now)) {
                    Ok(()) => through += 1,
                    Err(wait) => prop_assert!(wait <= Duration::from_secs_f64(1.0 / f64::from(rate)) + Duration::from_micros(1)),
                }
            }
            let most = f64::from(burst) + f64::from(rate) * now as f64 / 1_000.0;
            prop_assert!(f64::from(through) <= most + 1e-6);
        }
    }
}
