//! Clocks that are set forward and back.

use super::scene::*;

#[test]
fn a_time_that_is_skipped_comes_at_the_end_of_the_gap() {
    // In Berlin 02:00 to 03:00 did not exist on 29 March 2026, in New York on 8 March.
    for (when, zone, after, expected) in [
        (
            "daily 02:30",
            "Europe/Berlin",
            "2026-03-28T00:00:00Z",
            ["03-28 02:30 +01:00", "03-29 03:00 +02:00", "03-30 02:30 +02:00"],
        ),
        (
            "30 2 * * *",
            "Europe/Berlin",
            "2026-03-28T00:00:00Z",
            ["03-28 02:30 +01:00", "03-29 03:00 +02:00", "03-30 02:30 +02:00"],
        ),
        (
            "weekly sun 02:30",
            "America/New_York",
            "2026-03-01T12:00:00Z",
            ["03-08 03:00 -04:00", "03-15 02:30 -04:00", "03-22 02:30 -04:00"],
        ),
        // Lord Howe moves by half an hour: 02:00 to 02:30 did not exist on 4 October 2026.
        (
            "daily 02:15",
            "Australia/Lord_Howe",
            "2026-10-02T00:00:00Z",
            ["10-03 02:15 +10:30", "10-04 02:30 +11:00", "10-05 02:15 +11:00"],
        ),
        // Several moments in one gap are one start.
        (
            "*/20 2 * * *",
            "Europe/Berlin",
            "2026-03-28T01:30:00Z",
            ["03-28 02:40 +01:00", "03-29 03:00 +02:00", "03-30 02:00 +02:00"],
        ),
    ] {
        assert_eq!(shown(&exact(when, zone), after, 3), expected, "{when} {zone}");
    }
}

#[test]
fn a_time_that_comes_twice_counts_the_first_time() {
    for (when, zone, after, expected) in [
        (
            "daily 02:30",
            "Europe/Berlin",
            "2026-10-24T00:00:00Z",
            ["10-24 02:30 +02:00", "10-25 02:30 +02:00", "10-26 02:30 +01:00"],
        ),
        (
            "0,30 1 * * *",
            "America/New_York",
            "2026-10-31T05:15:00Z",
            ["10-31 01:30 -04:00", "11-01 01:00 -04:00", "11-01 01:30 -04:00"],
        ),
        (
            "daily 01:45",
            "Australia/Lord_Howe",
            "2026-04-03T16:00:00Z",
            ["04-05 01:45 +11:00", "04-06 01:45 +10:30", "04-07 01:45 +10:30"],
        ),
    ] {
        assert_eq!(shown(&exact(when, zone), after, 3), expected, "{when} {zone}");
    }
    // Asked in the second hour of the same name, the first one's starts have been.
    let schedule = exact("*/20 2 * * *", "Europe/Berlin");
    assert_eq!(
        shown(&schedule, "2026-10-25T01:10:00Z", 1),
        ["10-26 02:00 +01:00"]
    );
}

#[test]
fn what_repeats_goes_by_elapsed_time() {
    let schedule = exact("*/30 * * * *", "Europe/Berlin");
    assert_eq!(
        shown(&schedule, "2026-03-29T00:30:00Z", 3),
        ["03-29 03:00 +02:00", "03-29 03:30 +02:00", "03-29 04:00 +02:00"]
    );
    assert_eq!(
        shown(&schedule, "2026-10-25T00:00:00Z", 4),
        [
            "10-25 02:30 +02:00",
            "10-25 02:00 +01:00",
            "10-25 02:30 +01:00",
            "10-25 03:00 +01:00"
        ]
    );
    let schedule = exact("15 */1 * * *", "Australia/Lord_Howe");
    assert_eq!(
        shown(&schedule, "2026-04-04T13:50:00Z", 3),
        ["04-05 01:15 +11:00", "04-05 02:15 +10:30", "04-05 03:15 +10:30"]
    );
    // The half hour from 02:00 to 02:30 is left out in spring.
    assert_eq!(
        shown(&schedule, "2026-10-03T14:50:00Z", 2),
        ["10-04 03:15 +11:00", "10-04 04:15 +11:00"]
    );
    for when in ["every 6h", "hourly", "every 1d"] {
        let schedule = exact(when, "Europe/Berlin");
        for after in ["2026-03-27T00:00:00Z", "2026-10-23T00:00:00Z"] {
            let starts: Vec<_> = Starts::of(&schedule, registry(3))
                .after(at(after))
                .take(80)
                .collect();
            let gaps: std::collections::BTreeSet<_> = starts
                .iter()
                .zip(starts.iter().skip(1))
                .map(|(one, next)| next.as_second() - one.as_second())
                .collect();
            assert_eq!(gaps.len(), 1, "{when}: {gaps:?}");
        }
    }
}

#[test]
fn zones_that_never_change_and_zones_that_skip_a_day() {
    assert_eq!(
        shown(&exact("daily 03:30", "Asia/Kolkata"), "2026-03-28T00:00:00Z", 2),
        ["03-29 03:30 +05:30", "03-30 03:30 +05:30"]
    );
    assert_eq!(
        shown(&exact("daily 03:30", "UTC"), "2026-03-28T03:30:00Z", 1),
        ["03-29 03:30 +00:00"]
    );
    // Samoa had no 30 December 2011.
    assert_eq!(
        shown(&exact("daily 12:00", "Pacific/Apia"), "2011-12-29T00:00:00Z", 3),
        ["12-29 12:00 -10:00", "12-31 00:00 +14:00", "12-31 12:00 +14:00"]
    );
    assert_eq!(
        shown(
            &exact("weekly fri 12:00", "Pacific/Apia"),
            "2011-12-24T00:00:00Z",
            2
        ),
        ["12-31 00:00 +14:00", "01-06 12:00 +14:00"]
    );
}
