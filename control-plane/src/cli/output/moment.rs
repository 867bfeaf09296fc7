//! Times and sizes, as people read them.

use jiff::Timestamp;

/// A time to the second, in UTC.
pub(in crate::cli) fn moment(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// How long before `now` a time was.
pub(in crate::cli) fn ago(time: Timestamp, now: Timestamp) -> String {
    let seconds = now.as_second().saturating_sub(time.as_second());
    format!("{} ago", span(u64::try_from(seconds).unwrap_or(0)))
}

/// A time span, as coarse as [`ago`] says it.
pub(in crate::cli) fn span(seconds: u64) -> String {
    let (count, unit) = match seconds {
        0..120 => (seconds, "s"),
        120..7_200 => (seconds / 60, "min"),
        7_200..172_800 => (seconds / 3_600, "h"),
        _ => (seconds / 86_400, "d"),
    };
    format!("{count} {unit}")
}

/// How old what is known of something is; never, if it was not seen as it is to be seen now.
pub(in crate::cli) fn age(seconds: Option<u64>) -> String {
    seconds.map_or_else(|| "never".to_owned(), span)
}

/// A size with decimal units.
pub(in crate::cli) fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if count < 1_000 {
        return format!("{count} B");
    }
    // Tenths of a unit in whole numbers: no rounding surprises.
    let mut tenths = count / 100;
    let mut unit = 0;
    while tenths >= 10_000 && unit + 1 < UNITS.len() {
        tenths /= 1_000;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_like_people_say_it() {
        let at = |second| Timestamp::from_second(second).unwrap();
        assert_eq!(moment(at(1_800_000_000)), "2027-01-15 08:00:00Z");
        let cases = [
            (0, "0 s ago"),
            (119, "119 s ago"),
            (120, "2 min ago"),
            (7_200, "2 h ago"),
            (172_800, "2 d ago"),
        ];
        for (seconds, text) in cases {
            assert_eq!(ago(at(1_000_000), at(1_000_000 + seconds)), text);
        }
        assert_eq!(ago(at(10), at(0)), "0 s ago");
        let cases = [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.0 kB"),
            (1_550, "1.5 kB"),
            (999_999, "999.9 kB"),
            (1_000_000, "1.0 MB"),
            (23_456_789_012, "23.4 GB"),
            (u64::MAX, "18446.7 PB"),
        ];
        for (count, text) in cases {
            assert_eq!(bytes(count), text);
        }
    }
}
