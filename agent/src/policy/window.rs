//! The hours in which the agent works, if it is not to work always.

use std::fmt;

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use toml::de::DeTable;

use super::faults::Notes;
use super::value::{Value, items, one};

/// Windows of a policy file: more are refused.
pub(super) const WINDOWS: usize = 32;

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// One `[[window]]`: on these days, from this minute to that one, in this zone. One that ends at or before its beginning ends on the next day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Monday first.
    days: [bool; 7],
    hours: Hours,
    zone: TimeZone,
}

/// Minutes of the day: the first that is in, the first that is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Hours {
    from: i16,
    to: i16,
}

const DAY: i16 = 24 * 60;

/// Whether the windows are open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hour {
    /// Jobs are taken, and end before this moment, if there is one within a week.
    Open(Option<Timestamp>),
    /// Jobs are refused until this moment.
    Closed(Timestamp),
}

/// How the windows stand at a moment. Without any they are always open.
pub(super) fn hour(windows: &[Window], now: Timestamp) -> Hour {
    if windows.is_empty() {
        return Hour::Open(None);
    }
    let mut spans: Vec<(Timestamp, Timestamp)> =
        windows.iter().flat_map(|window| window.spans(now)).collect();
    spans.sort_unstable();
    let mut closes = None;
    for (from, to) in &spans {
        let reached = closes.unwrap_or(now);
        if *from <= reached && *to > reached {
            closes = Some(*to);
        }
    }
    let horizon = now.checked_add(WEEK).unwrap_or(Timestamp::MAX);
    match closes {
        Some(closes) if closes > horizon => Hour::Open(None),
        Some(closes) => Hour::Open(Some(closes)),
        // Every window has a day, and eight days have every day.
        None => Hour::Closed(
            spans
                .iter()
                .map(|(from, _)| *from)
                .find(|from| *from > now)
                .unwrap_or(horizon),
        ),
    }
}

const WEEK: jiff::SignedDuration = jiff::SignedDuration::from_hours(7 * 24);

impl Window {
    /// When it is open, from yesterday to more than a week ahead.
    fn spans(&self, now: Timestamp) -> impl Iterator<Item = (Timestamp, Timestamp)> {
        let today = self.zone.to_datetime(now).date();
        (-1..=8).filter_map(move |ahead| {
            let day = today.checked_add(i64::from(ahead).days()).ok()?;
            let on = usize::try_from(day.weekday().to_monday_zero_offset()).ok()?;
            if !*self.days.get(on)? {
                return None;
            }
            let Hours { from, to } = self.hours;
            let ends = if to <= from { to + DAY } else { to };
            Some((self.at(day, from)?, self.at(day, ends)?))
        })
    }

    /// A minute of a day; where the clock skips it, the one that it skips to.
    fn at(&self, day: Date, minute: i16) -> Option<Timestamp> {
        let day = day.checked_add(i64::from(minute / DAY).days()).ok()?;
        let minute = minute % DAY;
        let hour = i8::try_from(minute / 60).ok()?;
        let time = Time::new(hour, i8::try_from(minute % 60).ok()?, 0, 0).ok()?;
        let zoned = self.zone.to_zoned(day.to_datetime(time)).ok()?;
        Some(zoned.timestamp())
    }
}

/// Reads every `[[window]]`.
pub(super) fn read_windows(value: &Value<'_>, notes: &mut Notes<'_>) -> Vec<Window> {
    let Some(entries) = value.get_ref().as_array() else {
        notes.add(value.span().start, "window must be written as [[window]]");
        return Vec::new();
    };
    if entries.len() > WINDOWS {
        notes.add(
            value.span().start,
            format!("more than {WINDOWS} [[window]] entries"),
        );
        return Vec::new();
    }
    entries
        .iter()
        .filter_map(|entry| match entry.get_ref().as_table() {
            Some(table) => read_window(entry.span().start, table, notes),
            None => {
                notes.add(entry.span().start, "window must be written as [[window]]");
                None
            }
        })
        .collect()
}

fn read_window(at: usize, table: &DeTable<'_>, notes: &mut Notes<'_>) -> Option<Window> {
    let mut days = [true; 7];
    let mut hours = None;
    let mut written = false;
    let mut zone = TimeZone::UTC;
    for (key, value) in table {
        match key.get_ref().as_ref() {
            "days" => days = read_days(value, notes),
            "hours" => {
                written = true;
                hours = one::<Hours>(value, notes);
            }
            "zone" => match value.get_ref().as_str().map(TimeZone::get) {
                Some(Ok(read)) => zone = read,
                _ => notes.add(
                    value.span().start,
                    "zone must be a time zone that this machine knows, such as \"Europe/Berlin\" (the time zone database must be installed), or \"UTC\"",
                ),
            },
            other => notes.add(
                key.span().start,
                format!("unknown key {other:?}: expected days, hours or zone"),
            ),
        }
    }
    if !written {
        notes.add(
            at,
            "hours is missing: write them as \"22:00-06:00\", or \"00:00-24:00\" for whole days",
        );
    }
    Some(Window {
        days,
        hours: hours?,
        zone,
    })
}

fn read_days(value: &Value<'_>, notes: &mut Notes<'_>) -> [bool; 7] {
    let mut days = [false; 7];
    for item in items(value, "a list of days", notes) {
        let named = item.get_ref().as_str();
        let place = DAYS.iter().position(|day| Some(*day) == named);
        match place.and_then(|place| days.get_mut(place)) {
            Some(day) => *day = true,
            None => notes.add(
                item.span().start,
                format!("a day is one of {}, in quotes", DAYS.join(", ")),
            ),
        }
    }
    if days == [false; 7] {
        notes.add(value.span().start, "days names no day");
    }
    days
}

impl std::str::FromStr for Hours {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let minute = |text: &str| -> Option<i16> {
            let (hour, minute) = text.split_once(':')?;
            let two = |text: &str| (text.len() == 2).then(|| text.parse::<u8>().ok()).flatten();
            let (hour, minute) = (i16::from(two(hour)?), i16::from(two(minute)?));
            let at = hour * 60 + minute;
            (minute < 60 && at <= DAY).then_some(at)
        };
        text.split_once('-')
            .and_then(|(from, to)| Some((minute(from)?, minute(to)?)))
            .filter(|(from, to)| from != to && *from < DAY)
            .map(|(from, to)| Self { from, to })
            .ok_or_else(|| format!("{text:?} is not a span of hours: expected such as 22:00-06:00"))
    }
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to } = self;
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

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.days == [true; 7] {
            f.write_str("every day")?;
        } else {
            let named = DAYS.iter().zip(self.days).filter(|(_, on)| *on);
            let named: Vec<&str> = named.map(|(day, _)| *day).collect();
            f.write_str(&named.join(" "))?;
        }
        let zone = self.zone.iana_name().unwrap_or("UTC");
        write!(f, " {} {zone}", self.hours)
    }
}

#[cfg(test)]
#[path = "window_tests.rs"]
mod tests;
