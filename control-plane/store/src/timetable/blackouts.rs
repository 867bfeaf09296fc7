//! Windows without starts, as spans of time.

use jiff::civil::{Date, DateTime};
use jiff::{SignedDuration, Timestamp, ToSpan as _};

use super::blackout::{Blackout, DAY};
use super::schedule::Schedule;
use super::zone::ZoneName;

/// Minutes of a week.
const WEEK: i64 = 7 * 24 * 60;

/// All windows of one schedule in its zone, worked out once.
#[derive(Debug, Clone)]
pub struct Blackouts {
    week: Vec<Window>,
    zone: ZoneName,
}

/// Minutes after the midnight in which a Monday begins: the first that is in, and the first that is not. In a week of them they are in order, and
/// between two of them, and from the last to the first of the next week, is at least one minute; but for one that has no end, and is alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Window {
    from: i64,
    to: i64,
}

/// From this moment to before that one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BlackoutSpan {
    /// The first moment that is in.
    pub from: Timestamp,
    /// The first moment that is not.
    pub to: Timestamp,
}

impl Blackouts {
    /// Those of a schedule.
    #[must_use]
    pub fn of(schedule: &Schedule) -> Self {
        Self {
            week: week_of(&schedule.blackouts),
            zone: schedule.zone.clone(),
        }
    }

    /// Whether no minute of the week is free, so that nothing would ever start.
    #[must_use]
    pub fn never_end(&self) -> bool {
        self.week.iter().any(|window| window.to - window.from >= WEEK)
    }

    /// The window that a moment is in; windows that touch are one. Of one that never ends, the week that follows.
    #[must_use]
    pub fn around(&self, at: Timestamp) -> Option<BlackoutSpan> {
        if self.week.is_empty() {
            return None;
        }
        if self.never_end() {
            let to = at.checked_add(SignedDuration::from_mins(WEEK)).ok()?;
            return Some(BlackoutSpan { from: at, to });
        }
        let shown = self.zone.zone().to_datetime(at);
        let (monday, minute) = in_its_week(shown)?;
        let before = self.week.partition_point(|window| window.from <= minute);
        let mut place = i64::try_from(before).ok()? - 1;
        // Where the clock was set, it may show more or less than what has passed.
        while self.nth(monday, place + 1).is_some_and(|next| next.from <= at) {
            place += 1;
        }
        let mut one = self.nth(monday, place)?;
        while one.from > at {
            place -= 1;
            one = self.nth(monday, place)?;
        }
        // They begin and end in the same order: if this one is over, so are those before it.
        if one.to <= at {
            return None;
        }
        // Those between which the clock was set may touch.
        let mut first = place - 1;
        while let Some(before) = self.nth(monday, first).filter(|before| before.to >= one.from) {
            one.from = before.from;
            first -= 1;
        }
        let mut last = place + 1;
        while let Some(after) = self.nth(monday, last).filter(|after| after.from <= one.to) {
            one.to = after.to;
            last += 1;
        }
        Some(one)
    }

    /// The first free moment from this one on: itself, if it is in no window. `None` if there is none.
    #[must_use]
    pub fn end(&self, at: Timestamp) -> Option<Timestamp> {
        if self.never_end() {
            return None;
        }
        Some(self.around(at).map_or(at, |window| window.to))
    }

    /// The n-th window, counted from the first that begins in the week of this Monday. One that a clock has skipped is empty.
    fn nth(&self, monday: Date, place: i64) -> Option<BlackoutSpan> {
        let windows = i64::try_from(self.week.len()).ok()?;
        let window = self.week.get(usize::try_from(place.rem_euclid(windows)).ok()?)?;
        let monday = monday.checked_add((7 * place.div_euclid(windows)).days()).ok()?;
        Some(BlackoutSpan {
            from: self.zone.first(at_minute(monday, window.from)?)?,
            to: self.zone.last(at_minute(monday, window.to)?)?,
        })
    }
}

/// The Monday before or on the day that is shown, and whole minutes since it began.
fn in_its_week(shown: DateTime) -> Option<(Date, i64)> {
    let day = i64::from(shown.weekday().to_monday_zero_offset());
    let monday = shown.date().checked_sub(day.days()).ok()?;
    let minute = i64::from(shown.hour()) * 60 + i64::from(shown.minute());
    Some((monday, day * i64::from(DAY) + minute))
}

fn at_minute(monday: Date, minutes: i64) -> Option<DateTime> {
    let day = monday.checked_add((minutes / i64::from(DAY)).days()).ok()?;
    let within = SignedDuration::from_mins(minutes % i64::from(DAY));
    day.at(0, 0, 0, 0).checked_add(within).ok()
}

/// The windows of a week, those that touch as one.
fn week_of(windows: &[Blackout]) -> Vec<Window> {
    let mut each: Vec<Window> = windows
        .iter()
        .flat_map(|window| {
            let (from, to) = window.minutes();
            (0_i8..7).filter_map(move |day| {
                let begin = i64::from(day) * i64::from(DAY);
                let weekday = jiff::civil::Weekday::from_monday_zero_offset(day).ok()?;
                window.begins_on(weekday).then_some(Window {
                    from: begin + i64::from(from),
                    to: begin + i64::from(to),
                })
            })
        })
        .collect();
    each.sort_unstable();
    let mut week: Vec<Window> = Vec::new();
    for window in each {
        match week.last_mut() {
            Some(last) if window.from <= last.to => last.to = last.to.max(window.to),
            _ => week.push(window),
        }
    }
    // The last one may go on into the next week.
    while let [first, .., last] = week.as_mut_slice()
        && first.from + WEEK <= last.to
    {
        last.to = last.to.max(first.to + WEEK);
        week.remove(0);
    }
    if let [alone] = week.as_mut_slice()
        && alone.to >= alone.from + WEEK
    {
        *alone = Window { from: 0, to: WEEK };
    }
    week
}
