//! How often.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use portolan_shared::model::limits;

use super::error::{TimetableError, shown};

const HOUR: u32 = 60;
const DAY: u32 = 24 * HOUR;

/// Whole minutes, from one to [`SCHEDULE_INTERVAL_MINUTES`](limits::SCHEDULE_INTERVAL_MINUTES). They are elapsed time: a day is 24 hours, whatever a clock
/// on a wall does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Interval(NonZeroU32);

impl Interval {
    /// So many minutes, if an interval may have so many.
    #[must_use]
    pub fn of_minutes(minutes: u32) -> Option<Self> {
        NonZeroU32::new(minutes)
            .filter(|minutes| minutes.get() <= limits::SCHEDULE_INTERVAL_MINUTES)
            .map(Self)
    }

    /// In minutes.
    #[must_use]
    pub fn minutes(self) -> u32 {
        self.0.get()
    }

    /// In seconds.
    #[must_use]
    pub fn seconds(self) -> u32 {
        // At most 31 days: far below the bound of the type.
        self.0.get() * 60
    }
}

impl FromStr for Interval {
    type Err = TimetableError;

    /// `15m`, `6h`, `2d`; `min` for `m` as well.
    fn from_str(text: &str) -> Result<Self, TimetableError> {
        let wrong = || TimetableError::Interval(shown(text));
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let unit = match unit.trim_start() {
            "m" | "min" => 1,
            "h" => HOUR,
            "d" => DAY,
            _ => return Err(wrong()),
        };
        let number: u32 = number.parse().map_err(|_| wrong())?;
        number
            .checked_mul(unit)
            .and_then(Self::of_minutes)
            .ok_or_else(wrong)
    }
}

impl fmt::Display for Interval {
    /// In the largest unit that it is a whole number of.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.minutes() {
            minutes if minutes.is_multiple_of(DAY) => write!(f, "{}d", minutes / DAY),
            minutes if minutes.is_multiple_of(HOUR) => write!(f, "{}h", minutes / HOUR),
            minutes => write!(f, "{minutes}m"),
        }
    }
}
