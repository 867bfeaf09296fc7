//! What is wrong with a text that was to say when.

use portolan_shared::model::limits;

/// A text that is not what it should be, with an example of what is. Holds the beginning of it at most.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TimetableError {
    /// No form of a schedule.
    #[error(
        "{0} is not a schedule: expected manual, every 15m, every 6h, hourly, daily, daily 03:30, weekly, weekly sun 03:30, on-push, \
         or five fields of cron such as \"0 3 * * mon-fri\""
    )]
    When(String),
    /// Longer than [`SCHEDULE_BYTES`](limits::SCHEDULE_BYTES).
    #[error(
        "a schedule has at most {} characters, such as \"daily 03:30\"",
        limits::SCHEDULE_BYTES
    )]
    TooLong,
    /// Not an interval, or out of bounds.
    #[error(
        "{0} is not an interval: expected whole minutes, hours or days from 1m to 31d, such as \"every 15m\", \"every 6h\" or \"every 2d\""
    )]
    Interval(String),
    /// Not a time of day.
    #[error("{0} is not a time of day: expected 00:00 to 23:59, such as \"daily 03:30\"")]
    TimeOfDay(String),
    /// Not a day of the week.
    #[error(
        "{0} is not a day of the week: expected mon, tue, wed, thu, fri, sat or sun, such as \"weekly sun 03:30\""
    )]
    Weekday(String),
    /// Not five fields.
    #[error(
        "a cron expression has five fields (minute, hour, day of month, month, day of week), this one has {0}: such as \"0 3 * * mon-fri\" for 03:00 on \
         working days; there are no seconds and no years"
    )]
    CronFields(usize),
    /// A field that cannot be read.
    #[error("{text} is not the {field} of a cron expression: expected {expected}")]
    CronField {
        /// Which.
        field: &'static str,
        /// What it was.
        text: String,
        /// What it may be, with an example.
        expected: &'static str,
    },
    /// Days that no calendar has.
    #[error(
        "cron {0} never comes: no month that it names has such a day; \"0 3 1 * *\" is 03:00 on the first of every month"
    )]
    CronNever(String),
    /// Not a time zone.
    #[error(
        "{0} is not a time zone: expected a name of the IANA database, such as \"Europe/Berlin\", \"America/New_York\" or \"UTC\""
    )]
    Zone(String),
    /// Not a window.
    #[error(
        "{0} is not a window without starts: expected hours, after days if it is not every day, such as \"mon-fri 08:00-18:00\", \"22:00-02:00\" \
         or \"sat,sun 00:00-24:00\""
    )]
    Blackout(String),
    /// Neither of the two.
    #[error(
        "{0} is not what can become of a missed start: expected run_once (one run as soon as possible) or skip (wait for the next start)"
    )]
    Missed(String),
}

/// Characters of a wrong text that an error shows.
pub(super) const SHOWN: usize = 64;

/// A wrong text as an error shows it: in quotes, on one line, cut.
pub(super) fn shown(text: &str) -> String {
    let cut: String = text.chars().take(SHOWN).collect();
    if cut.len() < text.len() {
        format!("{cut:?}...")
    } else {
        format!("{cut:?}")
    }
}
