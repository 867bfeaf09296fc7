//! Times of day and days of the week.

use std::fmt;
use std::str::FromStr;

use jiff::civil;

use super::error::{TimetableError, shown};

/// A minute of a day, as a clock on the wall shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeOfDay(u16);

impl TimeOfDay {
    /// So many minutes after midnight, if a day has so many.
    #[must_use]
    pub fn of_minute(minute: u16) -> Option<Self> {
        (minute < super::blackout::DAY).then_some(Self(minute))
    }

    /// Minutes after midnight.
    #[must_use]
    pub fn minute(self) -> u16 {
        self.0
    }
}

impl FromStr for TimeOfDay {
    type Err = TimetableError;

    /// `HH:MM`; the hour may have one digit.
    fn from_str(text: &str) -> Result<Self, TimetableError> {
        minute_of(text)
            .and_then(Self::of_minute)
            .ok_or_else(|| TimetableError::TimeOfDay(shown(text)))
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

/// Minutes after midnight that `HH:MM` names, up to `24:00`.
pub(super) fn minute_of(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !(1..=2).contains(&hour.len()) || minute.len() != 2 || !digits(hour) || !digits(minute) {
        return None;
    }
    let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
    let at = hour * 60 + minute;
    (minute < 60 && at <= super::blackout::DAY).then_some(at)
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Weekday(civil::Weekday);

/// Monday first.
pub(super) const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

impl Weekday {
    /// As calendars take it.
    #[must_use]
    pub fn civil(self) -> civil::Weekday {
        self.0
    }

    /// Its word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self.0 {
            civil::Weekday::Monday => "mon",
            civil::Weekday::Tuesday => "tue",
            civil::Weekday::Wednesday => "wed",
            civil::Weekday::Thursday => "thu",
            civil::Weekday::Friday => "fri",
            civil::Weekday::Saturday => "sat",
            civil::Weekday::Sunday => "sun",
        }
    }
}

impl From<civil::Weekday> for Weekday {
    fn from(day: civil::Weekday) -> Self {
        Self(day)
    }
}

impl FromStr for Weekday {
    type Err = TimetableError;

    /// The first three letters of its English name, or the whole name, in any case.
    fn from_str(text: &str) -> Result<Self, TimetableError> {
        let day = match text.to_ascii_lowercase().as_str() {
            "mon" | "monday" => civil::Weekday::Monday,
            "tue" | "tuesday" => civil::Weekday::Tuesday,
            "wed" | "wednesday" => civil::Weekday::Wednesday,
            "thu" | "thursday" => civil::Weekday::Thursday,
            "fri" | "friday" => civil::Weekday::Friday,
            "sat" | "saturday" => civil::Weekday::Saturday,
            "sun" | "sunday" => civil::Weekday::Sunday,
            _ => return Err(TimetableError::Weekday(shown(text))),
        };
        Ok(Self(day))
    }
}

impl fmt::Display for Weekday {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
