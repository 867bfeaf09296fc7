//! When registries are read, as operators say it: checked values that read and show as text. What they mean in time is worked out elsewhere; nothing
//! here knows what time it is.
//!
//! `schedule` holds the whole of it, `when` the expression with `interval`, `time_of_day` and `cron`, `zone` the time zone and what clocks in it show,
//! `blackout` a window without starts, `blackouts` all windows of a schedule as spans of time, `error` what is wrong with a text.

mod blackout;
mod blackouts;
mod cron;
mod error;
mod interval;
mod schedule;
mod time_of_day;
mod when;
mod zone;

pub use blackout::Blackout;
pub use blackouts::{BlackoutSpan, Blackouts};
pub use cron::CronExpression;
pub use error::TimetableError;
pub use interval::Interval;
pub use schedule::{MissedStart, Schedule};
pub use time_of_day::{TimeOfDay, Weekday};
pub use when::When;
pub use zone::ZoneName;

#[cfg(test)]
mod blackouts_tests;
#[cfg(test)]
mod tests;
