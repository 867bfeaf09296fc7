//! How a schedule is said in one line.

use std::fmt;
use std::str::FromStr;

use portolan_shared::model::limits;

use super::cron::CronExpression;
use super::error::{TimetableError, shown};
use super::interval::Interval;
use super::time_of_day::{TimeOfDay, Weekday};

/// When runs start by themselves.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum When {
    /// Never: people start them.
    #[default]
    Manual,
    /// Again after so much time.
    Every(Interval),
    /// Every hour, at a minute of the product's choice.
    Hourly,
    /// Every day, at this time or at one of the product's choice.
    Daily(Option<TimeOfDay>),
    /// Every week, at this time or at one of the product's choice.
    Weekly(Option<(Weekday, TimeOfDay)>),
    /// When push events come, and once a day to find what none has announced.
    OnPush,
    /// As cron says.
    Cron(CronExpression),
}

impl FromStr for When {
    type Err = TimetableError;

    /// In any case of letters. Five fields without the word `cron` are read as cron.
    fn from_str(text: &str) -> Result<Self, TimetableError> {
        let text = text.trim();
        if text.len() > limits::SCHEDULE_BYTES {
            return Err(TimetableError::TooLong);
        }
        let lower = text.to_ascii_lowercase();
        let words: Vec<&str> = lower.split_whitespace().collect();
        match words.as_slice() {
            ["manual"] => Ok(Self::Manual),
            ["every", interval @ ..] => Ok(Self::Every(interval.join(" ").parse()?)),
            ["hourly"] => Ok(Self::Hourly),
            ["daily"] => Ok(Self::Daily(None)),
            ["daily", time] => Ok(Self::Daily(Some(time.parse()?))),
            ["weekly"] => Ok(Self::Weekly(None)),
            ["weekly", day, time] => Ok(Self::Weekly(Some((day.parse()?, time.parse()?)))),
            ["on-push"] => Ok(Self::OnPush),
            ["cron", fields @ ..] => Ok(Self::Cron(fields.join(" ").parse()?)),
            [first, ..] if first.starts_with(|c: char| c.is_ascii_digit() || c == '*') && words.len() > 1 => {
                Ok(Self::Cron(lower.parse()?))
            }
            _ => Err(TimetableError::When(shown(text))),
        }
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Manual => f.write_str("manual"),
            Self::Every(interval) => write!(f, "every {interval}"),
            Self::Hourly => f.write_str("hourly"),
            Self::Daily(None) => f.write_str("daily"),
            Self::Daily(Some(time)) => write!(f, "daily {time}"),
            Self::Weekly(None) => f.write_str("weekly"),
            Self::Weekly(Some((day, time))) => write!(f, "weekly {day} {time}"),
            Self::OnPush => f.write_str("on-push"),
            Self::Cron(cron) => write!(f, "cron {cron}"),
        }
    }
}
