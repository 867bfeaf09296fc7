//! Times in the past, as people type them.

use std::str::FromStr;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// `2026-03-31T08:00:00Z`, `2026-03-31 08:00` or `2026-03-31` in UTC, or so long ago: `2d`, `6h`, `30m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PastTime(When);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    At(Timestamp),
    Ago(SignedDuration),
}

impl PastTime {
    /// The time that is meant.
    pub(super) fn from(self, now: Timestamp) -> Timestamp {
        match self.0 {
            When::At(time) => time,
            When::Ago(ago) => now.checked_sub(ago).unwrap_or(Timestamp::UNIX_EPOCH),
        }
    }
}

impl FromStr for PastTime {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "expected a time such as 2026-03-31T08:00:00Z, a day such as 2026-03-31 (UTC), or how long ago: 2d, 6h, 30m";
        if let Some(ago) = ago(text) {
            return Ok(Self(When::Ago(ago)));
        }
        if let Ok(time) = text.parse::<Timestamp>() {
            return Ok(Self(When::At(time)));
        }
        // A day alone is its first moment.
        let civil = text
            .parse::<DateTime>()
            .and_then(|civil| civil.to_zoned(TimeZone::UTC));
        civil
            .map(|zoned| Self(When::At(zoned.timestamp())))
            .map_err(|_| wrong)
    }
}

fn ago(text: &str) -> Option<SignedDuration> {
    let (count, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if count.is_empty() || !count.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let count: i64 = count.parse::<u32>().ok()?.into();
    let minutes = match unit {
        "m" => count,
        "h" => count * 60,
        "d" => count * 60 * 24,
        "w" => count * 60 * 24 * 7,
        _ => return None,
    };
    Some(SignedDuration::from_mins(minutes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn times_are_read_as_people_type_them() {
        let now: Timestamp = "2026-03-31T08:00:00Z".parse().unwrap();
        for (text, meant) in [
            ("2d", "2026-03-29T08:00:00Z"),
            ("6h", "2026-03-31T02:00:00Z"),
            ("30m", "2026-03-31T07:30:00Z"),
            ("1w", "2026-03-24T08:00:00Z"),
            ("2026-03-30T07:00:00+02:00", "2026-03-30T05:00:00Z"),
            ("2026-03-30", "2026-03-30T00:00:00Z"),
            ("2026-03-30 14:05", "2026-03-30T14:05:00Z"),
            ("4294967295w", "1970-01-01T00:00:00Z"),
        ] {
            let read = text.parse::<PastTime>().map(|time| time.from(now));
            assert_eq!(read, Ok(meant.parse().unwrap()), "{text}");
        }
        for wrong in [
            "",
            "d",
            "2",
            "-2d",
            "+2d",
            "2 d",
            "2y",
            "yesterday",
            "2026-13-01",
            "99999999999d",
            "2ä",
        ] {
            assert!(wrong.parse::<PastTime>().is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_a_panic(text in "\\PC{0,30}") {
            let _ = text.parse::<PastTime>();
        }
    }
}
