//! The moments that an expression names, before anything is put off.

use jiff::civil::{Date, DateTime};
use jiff::{SignedDuration, Timestamp, ToSpan as _};
use portolan_shared::model::RegistryId;
use portolan_store::{CronExpression, Schedule, TimeOfDay, Weekday, When, ZoneName};

use super::draw::{Purpose, draw};

const HOUR: i64 = 60 * 60;
const DAY: i64 = 24 * HOUR;
/// Days that are looked through for the next one of a weekly schedule: two weeks, for the one that a clock has skipped.
const DAYS: i64 = 15;
/// Times that a clock may be set between two moments of a cron expression: leap days are up to eight years apart, and some countries change
/// their clocks four times a year.
const SETTINGS: usize = 64;
/// Moments of a cron expression that a clock may show twice when it is set back: every minute of a day.
const SHOWN_AGAIN: usize = 24 * 60;

/// Moments that have an order and never end; none for a schedule without starts.
#[derive(Debug, Clone)]
pub(super) struct Slots {
    form: Form,
    zone: ZoneName,
}

#[derive(Debug, Clone)]
enum Form {
    Never,
    /// Every so many seconds of elapsed time, counted from so many after 1970 began.
    Grid {
        seconds: i64,
        first: i64,
    },
    /// So many seconds after midnight, on this day of the week or on every day.
    Wall {
        day: Option<Weekday>,
        seconds: i64,
    },
    Cron(CronExpression),
}

/// Whether an expression leaves it to the registry at which moment it starts.
pub(super) fn leaves_the_moment_open(when: &When) -> bool {
    match when {
        When::Every(_) | When::Hourly | When::Daily(None) | When::Weekly(None) | When::OnPush => true,
        When::Manual | When::Daily(Some(_)) | When::Weekly(Some(_)) | When::Cron(_) => false,
    }
}

impl Slots {
    /// Those of a schedule for a registry, from which the moment follows that an expression leaves open.
    pub(super) fn of(schedule: &Schedule, registry: RegistryId) -> Self {
        let drawn = |span: i64| {
            let most = u64::try_from(span - 1).unwrap_or(0);
            i64::try_from(draw(registry, Purpose::Moment, span, most)).unwrap_or(0)
        };
        let seconds = |time: TimeOfDay| i64::from(time.minute()) * 60;
        let form = match &schedule.when {
            When::Manual => Form::Never,
            When::Every(interval) => {
                let seconds = i64::from(interval.seconds());
                let first = drawn(seconds);
                Form::Grid { seconds, first }
            }
            When::Hourly => return Self::hourly(schedule, registry),
            When::Daily(None) | When::OnPush => Form::Wall {
                day: None,
                seconds: drawn(DAY),
            },
            When::Daily(Some(time)) => Form::Wall {
                day: None,
                seconds: seconds(*time),
            },
            When::Weekly(None) => {
                let (day, seconds) = (drawn(7 * DAY) / DAY, drawn(7 * DAY) % DAY);
                let day = i8::try_from(day)
                    .ok()
                    .and_then(|day| jiff::civil::Weekday::from_monday_zero_offset(day).ok());
                Form::Wall {
                    day: Some(day.unwrap_or(jiff::civil::Weekday::Sunday).into()),
                    seconds,
                }
            }
            When::Weekly(Some((day, time))) => Form::Wall {
                day: Some(*day),
                seconds: seconds(*time),
            },
            When::Cron(cron) => Form::Cron(cron.clone()),
        };
        Self {
            form,
            zone: schedule.zone.clone(),
        }
    }

    /// Every hour, at the registry's own minute.
    pub(super) fn hourly(schedule: &Schedule, registry: RegistryId) -> Self {
        let most = u64::try_from(HOUR - 1).unwrap_or(0);
        let first = i64::try_from(draw(registry, Purpose::Moment, HOUR, most)).unwrap_or(0);
        Self {
            form: Form::Grid { seconds: HOUR, first },
            zone: schedule.zone.clone(),
        }
    }

    /// The first one after this moment, in whole seconds. `None` if there is none before the end of the calendar.
    pub(super) fn next(&self, after: Timestamp) -> Option<Timestamp> {
        #[cfg(test)]
        work::count();
        match &self.form {
            Form::Never => None,
            Form::Grid { seconds, first } => {
                let passed = (after.as_second() - first).div_euclid(*seconds) + 1;
                Timestamp::from_second(first + passed * seconds).ok()
            }
            Form::Wall { day, seconds } => self.next_on_a_day(after, *day, *seconds),
            Form::Cron(cron) if cron.goes_by_elapsed_time() => self.next_elapsed(after, cron),
            Form::Cron(cron) => self.next_on_the_wall(after, cron),
        }
    }

    fn next_on_a_day(&self, after: Timestamp, on: Option<Weekday>, seconds: i64) -> Option<Timestamp> {
        let today = self.zone.zone().to_datetime(after).date();
        (-1..=DAYS)
            .filter_map(|ahead| today.checked_add(ahead.days()).ok())
            .filter(|day| on.is_none_or(|on| on.civil() == day.weekday()))
            .filter_map(|day| self.zone.first(shown_at(day, seconds)?))
            .find(|at| *at > after)
    }

    /// As a clock shows it: a moment that it skips comes when it is set forward, one that it shows twice comes the first time only.
    fn next_on_the_wall(&self, after: Timestamp, cron: &CronExpression) -> Option<Timestamp> {
        let mut shown = self.zone.zone().to_datetime(after);
        for _ in 0..=SHOWN_AGAIN {
            shown = cron.next_on_the_wall(shown)?;
            let at = self.zone.first(shown)?;
            if at > after {
                return Some(at);
            }
        }
        None
    }

    /// As a clock would show it that is never set: what a real one skips is left out, what it shows twice comes twice.
    fn next_elapsed(&self, after: Timestamp, cron: &CronExpression) -> Option<Timestamp> {
        let second = SignedDuration::from_secs(1);
        let mut since = after;
        for _ in 0..=SETTINGS {
            let offset = self.zone.zone().to_offset(since);
            // The moment at which a clock was set is itself in question; the one that was asked about is not.
            let asked = if since == after {
                since
            } else {
                since.checked_sub(second).ok()?
            };
            let at = offset
                .to_timestamp(cron.next_on_the_wall(offset.to_datetime(asked))?)
                .ok()?;
            match self.zone.zone().following(since).next() {
                Some(set) if set.timestamp() <= at => since = set.timestamp(),
                _ => return Some(at),
            }
        }
        None
    }
}

/// So many seconds after midnight of a day, or of the next.
fn shown_at(day: Date, seconds: i64) -> Option<DateTime> {
    let day = day.checked_add((seconds / DAY).days()).ok()?;
    day.at(0, 0, 0, 0)
        .checked_add(SignedDuration::from_secs(seconds % DAY))
        .ok()
}

/// Counts how often slots are looked for, for tests of how much work something is.
#[cfg(test)]
pub(super) mod work {
    use std::cell::Cell;

    std::thread_local! {
        static DONE: Cell<u64> = const { Cell::new(0) };
    }

    pub(super) fn count() {
        DONE.set(DONE.get() + 1);
    }

    /// Slots that this thread has looked for.
    pub(in crate::app::schedule) fn done() -> u64 {
        DONE.get()
    }
}
