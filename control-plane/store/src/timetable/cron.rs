//! Cron expressions.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use croner::parser::{CronParser, Seconds, Year};
use croner::{Cron, CronDateTime as _};
use jiff::ToSpan as _;
use jiff::civil::{Date, DateTime, date};

use super::error::{TimetableError, shown};

/// Five fields of cron: minute, hour, day of month, month, day of week, with lists, spans, steps, names of months and days, and the signs `L`, `W` and `#`
/// for last days, working days and the n-th of a weekday. As with every cron, a day counts if either of its two fields names it, unless one of them is `*`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CronExpression {
    /// In lower case, one space between fields.
    text: String,
    cron: Arc<Cron>,
}

/// A field: its name, what it may be, and the words that may stand in it.
type Field = (&'static str, &'static str, &'static [&'static str]);

const FIELDS: [Field; 5] = [
    (
        "minute",
        "0 to 59, *, lists, spans or steps, such as 0, 5,35 or */15",
        &[],
    ),
    (
        "hour",
        "0 to 23, *, lists, spans or steps, such as 3, 8-18 or */6",
        &[],
    ),
    (
        "day of month",
        "1 to 31, *, lists, spans or steps, L for the last, 15W for the working day nearest to the 15th",
        &["l", "w", "lw"],
    ),
    (
        "month",
        "1 to 12 or jan to dec, *, lists, spans or steps, such as 1-6 or jan,jul",
        &[
            "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
        ],
    ),
    (
        "day of week",
        "0 to 7 (0 and 7 are Sunday) or sun to sat, *, lists, spans or steps, such as mon-fri, 5L for the last Friday or 2#1 for the first Tuesday",
        &["sun", "mon", "tue", "wed", "thu", "fri", "sat", "l"],
    ),
];

/// After so many days every calendar begins anew: four times seven years without a skipped leap year.
const CALENDARS: usize = 28 * 366;
const FIRST_CALENDAR: Date = date(2024, 1, 1);

impl CronExpression {
    /// The first moment after this one that it names, on a clock that never jumps. Whole minutes. `None` after the end of the calendar.
    #[must_use]
    pub fn next_on_the_wall(&self, after: DateTime) -> Option<DateTime> {
        self.cron.find_next_occurrence(&after, false).ok()
    }

    /// Whether it comes again after some time rather than at times of day: its hours are `*` or have a step. Then an hour that a clock on the wall skips is
    /// left out, and one that it repeats counts twice.
    #[must_use]
    pub fn goes_by_elapsed_time(&self) -> bool {
        self.text
            .split(' ')
            .nth(1)
            .is_some_and(|hours| hours.contains(['*', '/']))
    }

    /// Its five fields.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for CronExpression {
    type Err = TimetableError;

    fn from_str(text: &str) -> Result<Self, TimetableError> {
        let text = text.to_ascii_lowercase();
        let fields: Vec<&str> = text.split_whitespace().collect();
        if fields.len() != FIELDS.len() {
            return Err(TimetableError::CronFields(fields.len()));
        }
        let mut alone = ["*"; 5];
        for (place, (field, (name, expected, words))) in fields.iter().zip(FIELDS).enumerate() {
            let wrong = || TimetableError::CronField {
                field: name,
                text: shown(field),
                expected,
            };
            if !has_only_words(field, words) {
                return Err(wrong());
            }
            // Each field by itself, so that it can be said which one is wrong.
            if let Some(slot) = alone.get_mut(place) {
                *slot = field;
            }
            parse(&alone.join(" ")).ok_or_else(wrong)?;
            alone = ["*"; 5];
        }
        let text = fields.join(" ");
        match parse(&text).filter(has_a_day) {
            Some(cron) => Ok(Self {
                text,
                cron: Arc::new(cron),
            }),
            None => Err(TimetableError::CronNever(shown(&text))),
        }
    }
}

fn parse(text: &str) -> Option<Cron> {
    let parser = CronParser::builder()
        .seconds(Seconds::Disallowed)
        .year(Year::Disallowed)
        .build();
    parser.parse(text).ok()
}

/// Whether all letters of a field are words that may stand in it, and nothing else is there that the parser would take for something.
fn has_only_words(field: &str, words: &[&str]) -> bool {
    let marks = |c: char| c.is_ascii_digit() || "*,-/#?".contains(c);
    field
        .split(marks)
        .all(|word| word.is_empty() || words.contains(&word))
}

/// Whether any year has a day for it: 30 February never comes, 29 February does.
fn has_a_day(cron: &Cron) -> bool {
    let mut day = Some(FIRST_CALENDAR);
    let mut days = std::iter::from_fn(|| {
        let today = day?;
        day = today.checked_add(1.day()).ok();
        Some(today)
    });
    days.by_ref().take(CALENDARS).any(|day| {
        let noon = day.at(12, 0, 0, 0);
        let (civil, weekday) = (noon.to_civil(), noon.civil_weekday());
        let (year, month, day) = (civil.year(), civil.month(), civil.day());
        cron.pattern.month_match(month).unwrap_or(false)
            && cron.pattern.day_match(year, month, day, weekday).unwrap_or(false)
    })
}

impl fmt::Display for CronExpression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}
