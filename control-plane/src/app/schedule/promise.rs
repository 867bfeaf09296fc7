//! How old what is known of a registry may become by its schedule.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use portolan_shared::model::RegistryId;
use portolan_store::Schedule;

use super::draw::{Purpose, draw};
use super::starts::Starts;

/// How far back and ahead is looked: a week, of a schedule that leaves some of its days out, and a day for how long an answer is kept.
const AROUND: SignedDuration = SignedDuration::from_hours(8 * 24);
/// What is passed over at once, at least. Of starts that are closer to each other, not every gap is looked at.
const STEP: SignedDuration = SignedDuration::from_hours(1);
/// For how long an answer is kept, at most.
const KEPT: i64 = 24 * 60 * 60;

/// The longest time between two starts of a schedule, whether or not it is paused, of those around `now`: what it promises about the age of what is
/// known. The one that `now` falls between always counts. None for one without starts.
pub(super) fn promised(schedule: &Schedule, registry: RegistryId, now: Timestamp) -> Option<SignedDuration> {
    gaps_over(&Starts::of(schedule, registry), now, SignedDuration::ZERO).last()
}

/// Whether what is known of a registry becomes older than this by its schedule, whether or not that is paused. None for one without starts. Much less
/// work than to find out how old.
pub(in crate::app) fn lets_become_older(
    schedule: &Schedule,
    registry: RegistryId,
    now: Timestamp,
    age: SignedDuration,
) -> Option<bool> {
    let starts = Starts::of(schedule, registry);
    starts.next(now)?;
    Some(gaps_over(&starts, now, age).next().is_some())
}

/// Times between two starts around `now` that are longer than this, each longer than those before it. Every one that is longer than [`STEP`] is found;
/// it takes one step for each of them that fits into twice [`AROUND`], and so at most 384.
fn gaps_over(
    starts: &Starts<'_>,
    now: Timestamp,
    over: SignedDuration,
) -> impl Iterator<Item = SignedDuration> {
    let second = SignedDuration::from_secs(1);
    let from = now.checked_sub(AROUND).unwrap_or(Timestamp::MIN);
    let to = now.checked_add(AROUND).unwrap_or(Timestamp::MAX);
    let mut at = starts.last(from).or_else(|| starts.next(from));
    let mut longest = SignedDuration::from_secs(over.as_secs().max(0));
    std::iter::from_fn(move || {
        loop {
            let start = at.take().filter(|start| *start < to)?;
            // What is longer, and begins before this, ends after it.
            let next = starts.next(start.checked_add(longest.max(STEP)).ok()?)?;
            at = Some(next);
            let before = next.checked_sub(longest + second).ok()?;
            if starts.next(before) == Some(next) {
                longest = next.duration_since(starts.last(next.checked_sub(second).ok()?)?);
                return Some(longest);
            }
        }
    })
}

/// What schedules promise, of the registries that were asked about last: it follows from little, takes long to reckon, and is asked for every few seconds.
#[derive(Debug, Default)]
pub struct Promises {
    kept: Mutex<BTreeMap<RegistryId, Promise>>,
}

#[derive(Debug)]
struct Promise {
    schedule: Schedule,
    longest: Option<SignedDuration>,
    from: Timestamp,
    until: Timestamp,
}

impl Promises {
    /// How old what is known of each of these may become by its schedule; those without starts are left out, those that are paused are not. May take
    /// seconds: not for the reactor. Whoever asks meanwhile waits, and finds it all reckoned. What is kept of others is forgotten, so that no more is
    /// kept than one asks about.
    pub(in crate::app) fn of_all<'a>(
        &self,
        registries: impl Iterator<Item = (RegistryId, &'a Schedule)>,
        now: Timestamp,
    ) -> BTreeMap<RegistryId, SignedDuration> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let mut before = std::mem::take(&mut *kept);
        for (registry, schedule) in registries {
            let promise = before
                .remove(&registry)
                .filter(|promise| promise.holds(schedule, now))
                .unwrap_or_else(|| Promise::make(schedule, registry, now));
            kept.insert(registry, promise);
        }
        kept.iter()
            .filter_map(|(registry, promise)| Some((*registry, promise.longest?)))
            .collect()
    }

    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        self.kept.lock().unwrap().len()
    }
}

impl Promise {
    /// Kept until a time of day that is the registry's own, so that not all are reckoned anew at once.
    fn make(schedule: &Schedule, registry: RegistryId, now: Timestamp) -> Self {
        let most = u64::try_from(KEPT - 1).unwrap_or(0);
        let drawn = i64::try_from(draw(registry, Purpose::Promise, KEPT, most)).unwrap_or(0);
        let keep = KEPT - (now.as_second() - drawn).rem_euclid(KEPT);
        Self {
            schedule: schedule.clone(),
            longest: promised(schedule, registry, now),
            from: now,
            until: now
                .checked_add(SignedDuration::from_secs(keep))
                .unwrap_or(Timestamp::MAX),
        }
    }

    /// The clock may have been set back.
    fn holds(&self, schedule: &Schedule, now: Timestamp) -> bool {
        self.schedule == *schedule && (self.from..self.until).contains(&now)
    }
}
