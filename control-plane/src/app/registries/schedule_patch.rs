//! What operators change of a schedule.

use std::num::NonZeroU32;

use portolan_store::{Blackout, MissedStart, Schedule, When, ZoneName};

/// A change of a schedule; what is none stays as it is.
#[derive(Debug, Clone, Default)]
pub struct SchedulePatch {
    /// New expression.
    pub when: Option<When>,
    /// New time zone.
    pub zone: Option<ZoneName>,
    /// New jitter, or `Some(None)` for what suits the expression.
    pub jitter_seconds: Option<Option<u32>>,
    /// New windows without starts.
    pub blackouts: Option<Vec<Blackout>>,
    /// New longest time of a run, or `Some(None)` for a day.
    pub max_run_seconds: Option<Option<NonZeroU32>>,
    /// What becomes of a missed start.
    pub missed: Option<MissedStart>,
    /// Whether it is held.
    pub paused: Option<bool>,
}

impl SchedulePatch {
    /// Whether everything stays.
    pub(super) fn is_empty(&self) -> bool {
        self.when.is_none()
            && self.zone.is_none()
            && self.jitter_seconds.is_none()
            && self.blackouts.is_none()
            && self.max_run_seconds.is_none()
            && self.missed.is_none()
            && self.paused.is_none()
    }

    /// A schedule with this changed.
    #[must_use]
    pub fn applied_to(self, schedule: Schedule) -> Schedule {
        Schedule {
            when: self.when.unwrap_or(schedule.when),
            zone: self.zone.unwrap_or(schedule.zone),
            jitter_seconds: self.jitter_seconds.unwrap_or(schedule.jitter_seconds),
            blackouts: self.blackouts.unwrap_or(schedule.blackouts),
            max_run_seconds: self.max_run_seconds.unwrap_or(schedule.max_run_seconds),
            missed: self.missed.unwrap_or(schedule.missed),
            paused: self.paused.unwrap_or(schedule.paused),
        }
    }
}
