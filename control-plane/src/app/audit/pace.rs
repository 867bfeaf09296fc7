//! How often somebody can cause an entry: whoever does the same over and over must not fill a tenant's log.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::steps::SensorLogSteps;
use portolan_shared::model::{ApiTokenId, SensorId, TenantId};
use portolan_shared::process::Uptime;

/// How often one of them gets an entry at most: what comes in between is counted.
const EVERY: Duration = Duration::from_secs(60);
/// How many are remembered at once: beyond, the ones whose time is over are forgotten, and then there is no entry.
const REMEMBERED: usize = 16_384;

/// What was told lately, and what waits to be written.
#[derive(Debug, Default)]
pub struct AuditPace {
    /// API tokens that were refused.
    pub(super) tokens: Paced<ApiTokenId>,
    /// Sensors, by what they caused to be told.
    pub(super) sensors: Paced<(SensorId, &'static str)>,
    /// Sensors' own logs that have gone on, until that is written.
    pub(super) steps: SensorLogSteps,
    /// The first bad record of logs that are broken.
    pub(super) broken: Mutex<BTreeMap<TenantId, u64>>,
}

/// Counts what is told of each.
#[derive(Debug)]
pub(super) struct Paced<K>(Mutex<HashMap<K, Tries>>);

impl<K> Default for Paced<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

#[derive(Debug)]
struct Tries {
    told: Uptime,
    since: u64,
}

impl<K: Eq + Hash> Paced<K> {
    /// Counts one more; gives how many there were since the last entry, if another one is due.
    pub(super) fn count(&self, of: K, now: Uptime) -> Option<u64> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED && !known.contains_key(&of) {
            known.retain(|_, tries| now.since(tries.told) < EVERY);
            if known.len() >= REMEMBERED {
                return None;
            }
        }
        match known.get_mut(&of) {
            Some(tries) if now.since(tries.told) < EVERY => {
                tries.since += 1;
                None
            }
            Some(tries) => {
                tries.told = now;
                Some(std::mem::take(&mut tries.since) + 1)
            }
            None => {
                known.insert(of, Tries { told: now, since: 0 });
                Some(1)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use portolan_shared::process::SeededRng;

    #[test]
    fn what_happens_over_and_over_is_told_of_once_a_minute() {
        let (paced, rng) = (Paced::default(), SeededRng::new(1));
        let at = |seconds| Uptime(Duration::from_secs(seconds));
        let token = ApiTokenId::random(&rng);
        assert_eq!(paced.count(token, at(0)), Some(1));
        for second in 1..60 {
            assert_eq!(paced.count(token, at(second)), None);
        }
        assert_eq!(paced.count(token, at(60)), Some(60));
        for _ in 1..REMEMBERED {
            assert_eq!(paced.count(ApiTokenId::random(&rng), at(61)), Some(1));
        }
        let further = ApiTokenId::random(&rng);
        assert_eq!(paced.count(further, at(62)), None, "at the bound");
        assert_eq!(paced.count(further, at(200)), Some(1), "until there is room");
    }
}
