//! Windows in which no run is started.

use std::fmt;
use std::str::FromStr;

use super::error::{TimetableError, shown};
use super::time_of_day::{DAYS, Weekday, minute_of};

/// Minutes of a day.
pub(super) const DAY: u16 = 24 * 60;

/// On these days, from this minute to before that one, as clocks in the schedule's zone show it. One that ends at or before its beginning ends on the next
/// day, and belongs to the day on which it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Blackout {
    /// Monday first. At least one.
    days: [bool; 7],
    from: u16,
    to: u16,
}

impl Blackout {
    /// Whether it begins on this day of the week.
    #[must_use]
    pub fn begins_on(&self, day: jiff::civil::Weekday) -> bool {
        usize::try_from(day.to_monday_zero_offset())
            .ok()
            .and_then(|day| self.days.get(day))
            .is_some_and(|on| *on)
    }

    /// Minutes after the midnight of the day on which it begins: the first that is in, and the first that is not, which may be on the next day.
    #[must_use]
    pub fn minutes(&self) -> (u16, u16) {
        let ends = if self.to <= self.from {
            self.to + DAY
        } else {
            self.to
        };
        (self.from, ends)
    }
}

impl FromStr for Blackout {
    type Err = TimetableError;

    /// `[DAYS ]HH:MM-HH:MM`, days as `mon-fri` or `sat,sun` or both.
    fn from_str(text: &str) -> Result<Self, TimetableError> {
        let wrong = || TimetableError::Blackout(shown(text));
        let lower = text.to_ascii_lowercase();
        let mut words = lower.split_whitespace();
        let (days, hours) = match (words.next(), words.next(), words.next()) {
            (Some(hours), None, _) => ([true; 7], hours),
            (Some(days), Some(hours), None) => (days_of(days).ok_or_else(wrong)?, hours),
            _ => return Err(wrong()),
        };
        let (from, to) = hours.split_once('-').ok_or_else(wrong)?;
        let (from, to) = (
            minute_of(from).ok_or_else(wrong)?,
            minute_of(to).ok_or_else(wrong)?,
        );
        // Twice the same minute could mean nothing or a whole day; 24:00 says the latter.
        if from == to || from == DAY {
            return Err(wrong());
        }
        Ok(Self { days, from, to })
    }
}

/// Days that a list names; a span may go over the end of the week.
fn days_of(list: &str) -> Option<[bool; 7]> {
    let place = |text: &str| {
        let day: Weekday = text.parse().ok()?;
        usize::try_from(day.civil().to_monday_zero_offset()).ok()
    };
    let mut days = [false; 7];
    for item in list.split(',') {
        let (first, last) = match item.split_once('-') {
            Some((first, last)) => (place(first)?, place(last)?),
            None => (place(item)?, place(item)?),
        };
        let last = if last < first { last + 7 } else { last };
        for day in first..=last {
            *days.get_mut(day % 7)? = true;
        }
    }
    Some(days)
}

impl fmt::Display for Blackout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.days != [true; 7] {
            write!(f, "{} ", spans(&self.days).join(","))?;
        }
        let Self { from, to, .. } = self;
        write!(
            f,
            "{:02}:{:02}-{:02}:{:02}",
            from / 60,
            from % 60,
            to / 60,
            to % 60
        )
    }
}

/// Days in a row as `mon-fri`, single ones and pairs by name.
fn spans(days: &[bool; 7]) -> Vec<String> {
    let mut named: Vec<&str> = Vec::new();
    let mut spans = Vec::new();
    for (name, on) in DAYS.iter().zip(days).chain([(&"", &false)]) {
        if *on {
            named.push(name);
            continue;
        }
        match named.as_slice() {
            [first, .., last] if named.len() > 2 => spans.push(format!("{first}-{last}")),
            some => spans.extend(some.iter().map(|name| (*name).to_owned())),
        }
        named.clear();
    }
    spans
}
