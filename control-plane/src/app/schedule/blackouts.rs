//! Windows without starts, as spans of time.

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use portolan_store::{Blackout, Schedule, covers_the_week};

use super::wall;

/// Days around a moment in which windows are looked for: windows that touch can be one that lasts almost a week.
const DAYS: i64 = 9;
/// Times that what follows a window is looked at. One that lasts longer than [`DAYS`], because the only free minute of a week was skipped by
/// a clock that was set forward, ends at the second look.
const LOOKS: usize = 4;

/// The windows of one schedule.
#[derive(Debug, Clone)]
pub(super) struct Blackouts<'a> {
    windows: &'a [Blackout],
    zone: &'a TimeZone,
}

/// From this moment to before that one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Span {
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
}

impl<'a> Blackouts<'a> {
    pub(super) fn of(schedule: &'a Schedule) -> Self {
        Self {
            windows: &schedule.blackouts,
            zone: schedule.zone.zone(),
        }
    }

    /// Whether no moment is free.
    pub(super) fn never_end(&self) -> bool {
        covers_the_week(self.windows)
    }

    /// The window that a moment is in; windows that touch are one.
    pub(super) fn around(&self, at: Timestamp) -> Option<Span> {
        if self.windows.is_empty() {
            return None;
        }
        let today = self.zone.to_datetime(at).date();
        let mut spans: Vec<Span> = (-DAYS..=DAYS)
            .filter_map(|ahead| today.checked_add(ahead.days()).ok())
            .flat_map(|day| {
                let begin = self
                    .windows
                    .iter()
                    .filter(move |window| window.begins_on(day.weekday()));
                begin.filter_map(move |window| self.span(window, day))
            })
            .collect();
        spans.sort_unstable();
        let mut one: Option<Span> = None;
        for span in spans {
            match &mut one {
                Some(one) if span.from <= one.to => one.to = one.to.max(span.to),
                Some(one) if one.to > at => break,
                _ => one = Some(span),
            }
        }
        one.filter(|one| one.from <= at && at < one.to)
    }

    /// The first free moment from this one on: itself, if it is in no window. `None` if there is none.
    pub(super) fn end(&self, at: Timestamp) -> Option<Timestamp> {
        let mut free = at;
        for _ in 0..LOOKS {
            match self.around(free) {
                None => return Some(free),
                Some(window) => free = window.to,
            }
        }
        None
    }

    fn span(&self, window: &Blackout, day: jiff::civil::Date) -> Option<Span> {
        let (from, to) = window.minutes();
        let shown = |minute: u16| wall::at(day, i64::from(minute) * 60);
        let span = Span {
            from: wall::first(self.zone, shown(from)?)?,
            to: wall::last(self.zone, shown(to)?)?,
        };
        (span.from < span.to).then_some(span)
    }
}
