//! When a registry is read, as flags.

use std::ffi::OsStr;
use std::num::NonZeroU32;

use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};

use crate::web::api::registries::ScheduleInput;

/// What schedules are, for the help of commands that take one.
macro_rules! schedules_help {
    () => {
        "\
Schedules:
  manual            never by itself
  every 15m         again after so many minutes (m), hours (h) or days (d)
  hourly            every hour; daily, weekly likewise: at a moment that differs from registry to registry
  daily 03:30       every day at this time; weekly sun 03:30 likewise
  on-push           when push events come, and once a day for what none has announced
  0 3 * * mon-fri   cron: minute, hour, day of month, month, day of week
Times are those of --zone. When clocks are set forward, a time that is skipped comes at the end of the gap; when they are set
back, one that comes twice counts the first time. What repeats (every, hourly, cron with '*' or a step as hours) goes by elapsed time."
    };
}
pub(in crate::cli) use schedules_help;

/// When a registry is read.
#[derive(Debug, clap::Args)]
pub(super) struct ScheduleArgs {
    /// Time zone of the schedule and of blackouts, such as Europe/Berlin; UTC if none was ever given
    #[arg(long, value_name = "ZONE")]
    zone: Option<String>,
    /// Put each start off by up to so much, such as 5m; 'default' for what suits the schedule
    #[arg(long, value_name = "TIME", value_parser = limit)]
    jitter: Option<Limit>,
    /// Start nothing by itself in this window, such as 'mon-fri 08:00-18:00' or 22:00-02:00; give several
    #[arg(long, value_name = "WINDOW")]
    blackout: Vec<String>,
    /// Fail a run that takes longer, such as 2h; 'default' for a day
    #[arg(long, value_name = "TIME", value_parser = limit)]
    max_run: Option<Limit>,
    /// What becomes of a start that could not be at its time: one run as soon as possible, or nothing
    #[arg(long, value_name = "WHAT", value_parser = ["run-once", "skip"])]
    missed: Option<String>,
}

impl ScheduleArgs {
    /// With this expression.
    pub(super) fn input(self, expression: Option<String>, no_blackouts: bool) -> Option<ScheduleInput> {
        let blackouts = (no_blackouts || !self.blackout.is_empty()).then_some(self.blackout);
        let input = ScheduleInput {
            expression,
            zone: self.zone,
            jitter_seconds: self.jitter.map(Limit::seconds),
            blackouts,
            max_run_seconds: self
                .max_run
                .map(|limit| limit.seconds().and_then(NonZeroU32::new)),
            missed: self.missed.map(|word| word.replace('-', "_")),
            paused: None,
        };
        (input != ScheduleInput::default()).then_some(input)
    }
}

/// A time, or the one that is used when none is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Limit {
    Default,
    Seconds(u32),
}

impl Limit {
    fn seconds(self) -> Option<u32> {
        match self {
            Self::Default => None,
            Self::Seconds(seconds) => Some(seconds),
        }
    }
}

/// `90s`, `5m`, `2h`, `1d`, or `default`.
fn limit(text: &str) -> Result<Limit, String> {
    if text == "default" {
        return Ok(Limit::Default);
    }
    seconds(text).map(Limit::Seconds)
}

/// `90s`, `5m`, `2h`, `1d`.
pub(in crate::cli) fn seconds(text: &str) -> Result<u32, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit: u32 = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _ => 0,
    };
    number
        .parse()
        .ok()
        .and_then(|number: u32| number.checked_mul(unit))
        .filter(|_| unit > 0)
        .ok_or_else(|| "expected a time such as 90s, 5m, 2h or 1d".to_owned())
}

/// Seconds as [`seconds`] reads them.
pub(super) fn span(seconds: u32) -> String {
    let units = [(24 * 60 * 60, 'd'), (60 * 60, 'h'), (60, 'm')];
    let whole = units
        .into_iter()
        .find(|(unit, _)| seconds > 0 && seconds.is_multiple_of(*unit));
    match whole {
        Some((unit, letter)) => format!("{}{letter}", seconds / unit),
        None => format!("{seconds}s"),
    }
}

/// Takes any text as an expression, and offers those of one word to a shell that completes.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Expression;

impl TypedValueParser for Expression {
    type Value = String;

    fn parse_ref(
        &self,
        command: &clap::Command,
        argument: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<String, clap::Error> {
        StringValueParser::new().parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let words = [
            ("manual", "never by itself"),
            ("hourly", "every hour"),
            ("daily", "every day"),
            ("weekly", "every week"),
            ("on-push", "when push events come, and once a day"),
        ];
        let offered = words.map(|(word, help)| PossibleValue::new(word).help(help));
        Some(Box::new(offered.into_iter()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        for (text, read) in [("0s", 0), ("90s", 90), ("5m", 300), ("2h", 7_200), ("1d", 86_400)] {
            assert_eq!(seconds(text), Ok(read));
            assert_eq!(span(read), text);
        }
        for text in [
            "",
            "5",
            "m",
            "-5m",
            "5 m",
            "1.5h",
            "5w",
            "99999999999s",
            "4294967295d",
        ] {
            assert!(seconds(text).unwrap_err().contains("such as 90s"), "{text:?}");
        }
        assert_eq!(limit("default"), Ok(Limit::Default));
        assert_eq!(limit("2h"), Ok(Limit::Seconds(7_200)));
    }
}
