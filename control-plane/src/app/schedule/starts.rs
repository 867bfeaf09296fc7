//! When runs of a registry start: the moments that its schedule names, out of its blackouts, each put off a little.

use jiff::{SignedDuration, Timestamp};
use portolan_shared::model::RegistryId;
use portolan_store::{Blackouts, MissedStart, Schedule, When};

use super::draw::{Purpose, draw};
use super::slots::Slots;

/// By how much starts are put off that have been waiting for the end of a blackout, if the schedule does not say it: it ends for all
/// registries at once.
const AFTER_BLACKOUT: u32 = 5 * 60;
/// Jitter of starts at a time that people chose, which many choose, in seconds.
const AT_A_TIME: u32 = 60;
/// Jitter of starts after an interval, at most, in seconds.
const AFTER_AN_INTERVAL: u32 = 5 * 60;
/// Moments that may fall into blackouts one after the other before it is given up to look for one that does not.
const TRIES: usize = 400;
/// Seconds within which the next start must be: leap days, and calendars, begin anew within so much.
const HORIZON: SignedDuration = SignedDuration::from_hours(24 * 366 * 41);

/// The starts of one registry by one schedule: an ordered set of moments that depends on nothing else.
#[derive(Debug)]
pub(super) struct Starts<'a> {
    registry: RegistryId,
    slots: Slots,
    blackouts: Blackouts,
    schedule: &'a Schedule,
}

impl<'a> Starts<'a> {
    /// Those of a schedule, whether or not it is paused.
    pub(super) fn of(schedule: &'a Schedule, registry: RegistryId) -> Self {
        Self {
            registry,
            slots: Slots::of(schedule, registry),
            blackouts: Blackouts::of(schedule),
            schedule,
        }
    }

    /// The same blackouts, and a start every hour.
    pub(super) fn hourly(schedule: &'a Schedule, registry: RegistryId) -> Self {
        Self {
            slots: Slots::hourly(schedule, registry),
            ..Self::of(schedule, registry)
        }
    }

    /// The first start after this moment. `None` if there is none within 41 years.
    pub(super) fn next(&self, after: Timestamp) -> Option<Timestamp> {
        if self.blackouts.never_end() {
            return None;
        }
        self.first_of(self.first_to_look_at(after)?, after)
    }

    /// The first start after this moment, of those that come of this slot and the ones after it.
    fn first_of(&self, mut slot: Timestamp, after: Timestamp) -> Option<Timestamp> {
        let horizon = after.checked_add(HORIZON).unwrap_or(Timestamp::MAX);
        for _ in 0..TRIES {
            let free = self.blackouts.end(slot)?;
            if free == slot || self.waits() {
                let start = self.put_off(free, free != slot);
                if start > after {
                    return Some(start).filter(|start| *start <= horizon);
                }
                slot = self.slots.next(free)?;
            } else {
                slot = self.slots.next(second_before(free)?)?;
            }
            if slot > horizon {
                return None;
            }
        }
        None
    }

    /// The same by looking at every slot whose start could be put off beyond this moment, whatever comes after it.
    #[cfg(test)]
    pub(super) fn next_plainly(&self, after: Timestamp) -> Option<Timestamp> {
        if self.blackouts.never_end() {
            return None;
        }
        self.first_of(self.slots.next(self.earliest(after)?)?, after)
    }

    /// All starts after this moment.
    pub(super) fn after(&self, after: Timestamp) -> impl Iterator<Item = Timestamp> {
        std::iter::successors(self.next(after), |last| self.next(*last))
    }

    /// The last start up to this moment; `None` if there is none within 41 years before it.
    pub(super) fn last(&self, until: Timestamp) -> Option<Timestamp> {
        let up_to = |start: &Timestamp| *start <= until;
        let mut back = SignedDuration::from_hours(1);
        let mut last = loop {
            let look = until.checked_sub(back).ok()?;
            match self.next(look).filter(up_to) {
                Some(start) => break start,
                None if back > HORIZON => return None,
                None => back = back.saturating_mul(2),
            }
        };
        // From here on there is none up to the moment that is asked about.
        let mut none = until.as_second();
        while last.as_second() < none {
            let middle = last.as_second() + (none - last.as_second()) / 2;
            match self.next(Timestamp::from_second(middle).ok()?).filter(up_to) {
                Some(start) => last = start,
                None => none = middle,
            }
        }
        Some(last)
    }

    /// If this moment is in a blackout: when something starts that waits for its end.
    pub(super) fn reopen(&self, at: Timestamp) -> Option<Timestamp> {
        let free = self.blackouts.end(at)?;
        (free != at).then(|| self.put_off(free, true))
    }

    /// The last slot up to this moment, if its start may be after it, or else the first slot after it. No start is put off as far as the next slot: those
    /// of all slots before this one have been.
    fn first_to_look_at(&self, after: Timestamp) -> Option<Timestamp> {
        let mut last = self.slots.next(self.earliest(after)?)?;
        // From here on there is none up to the moment that is asked about.
        let mut none = after.as_second();
        while last.as_second() < none {
            let middle = last.as_second() + (none - last.as_second()) / 2;
            match self.slots.next(Timestamp::from_second(middle).ok()?) {
                Some(slot) if slot <= after => last = slot,
                _ => none = middle,
            }
        }
        // One at which a blackout ends stands for those within it as well.
        match self.blackouts.around(second_before(last)?) {
            Some(window) if window.to == last => self.slots.next(second_before(window.from)?),
            _ => Some(last),
        }
    }

    /// A moment before which lie only slots that cannot be put off beyond the one that is asked about.
    fn earliest(&self, after: Timestamp) -> Option<Timestamp> {
        let most = self.jitter(false).max(self.jitter(true));
        let look = after
            .checked_sub(SignedDuration::from_secs(i64::from(most)))
            .ok()?;
        second_before(self.blackouts.around(look).map_or(look, |window| window.from))
    }

    /// Whether a start that falls into a blackout waits for its end. Where nobody chose the moment, skipping it could mean that there never
    /// is one.
    fn waits(&self) -> bool {
        match self.schedule.when {
            When::Daily(None) | When::Weekly(None) | When::OnPush => true,
            _ => self.schedule.missed == MissedStart::RunOnce,
        }
    }

    /// By how many seconds a start is put off, at most.
    fn jitter(&self, waited: bool) -> u32 {
        let suits = match &self.schedule.when {
            When::Manual | When::Hourly | When::Daily(None) | When::Weekly(None) | When::OnPush => 0,
            When::Every(interval) => (interval.seconds() / 10).min(AFTER_AN_INTERVAL),
            When::Daily(Some(_)) | When::Weekly(Some(_)) | When::Cron(_) => AT_A_TIME,
        };
        let suits = if waited { suits.max(AFTER_BLACKOUT) } else { suits };
        self.schedule.jitter_seconds.unwrap_or(suits)
    }

    /// Puts a free moment off, but never into a blackout nor as far as the next slot: starts keep the order of what they stand for.
    fn put_off(&self, free: Timestamp, waited: bool) -> Timestamp {
        let until_next = self
            .slots
            .next(free)
            .map_or(i64::MAX, |next| next.as_second() - free.as_second() - 1);
        let most = u64::from(self.jitter(waited)).min(u64::try_from(until_next).unwrap_or(0));
        let by = draw(self.registry, Purpose::Jitter, free.as_second(), most);
        i64::try_from(by)
            .ok()
            .and_then(|by| free.checked_add(SignedDuration::from_secs(by)).ok())
            .filter(|start| self.blackouts.around(*start).is_none())
            .unwrap_or(free)
    }
}

fn second_before(at: Timestamp) -> Option<Timestamp> {
    at.checked_sub(SignedDuration::from_secs(1)).ok()
}
