//! Cron expressions in time.

use super::scene::*;

#[test]
fn leap_days_are_waited_for() {
    let schedule = exact("0 3 29 2 *", "UTC");
    let starts: Vec<_> = Starts::of(&schedule, registry(1))
        .after(at("2096-03-01T00:00:00Z"))
        .take(2)
        .map(|start| start.to_string())
        .collect();
    // The year 2100 has none.
    assert_eq!(starts, ["2104-02-29T03:00:00Z", "2108-02-29T03:00:00Z"]);
    // The same by elapsed time, over all the times that clocks are set meanwhile.
    let schedule = exact("0 */12 29 2 *", "Africa/Casablanca");
    let next = Starts::of(&schedule, registry(1))
        .next(at("2024-03-01T00:00:00Z"))
        .unwrap();
    assert_eq!(
        next.to_zoned(schedule.zone.zone().clone())
            .strftime("%F %R")
            .to_string(),
        "2028-02-29 00:00"
    );
}

#[test]
fn days_are_named_by_either_field() {
    assert_eq!(
        shown(&exact("0 9 1 * mon", "UTC"), "2026-11-25T00:00:00Z", 3),
        ["11-30 09:00 +00:00", "12-01 09:00 +00:00", "12-07 09:00 +00:00"]
    );
    assert_eq!(
        shown(&exact("0 9 L * *", "UTC"), "2026-02-01T00:00:00Z", 2),
        ["02-28 09:00 +00:00", "03-31 09:00 +00:00"]
    );
    assert_eq!(
        shown(&exact("0 9 * * 2#1", "UTC"), "2026-02-01T00:00:00Z", 2),
        ["02-03 09:00 +00:00", "03-03 09:00 +00:00"]
    );
}

#[test]
fn the_calendar_ends() {
    for when in ["0 3 29 2 *", "0 */6 * * *", "daily 03:00", "every 31d", "hourly"] {
        let schedule = exact(when, "Europe/Berlin");
        let starts = Starts::of(&schedule, registry(1));
        assert!(
            starts
                .next(Timestamp::MIN)
                .is_none_or(|start| start > Timestamp::MIN)
        );
        assert!(
            starts.after(at("9999-12-30T00:00:00Z")).take(100).count() < 100,
            "{when}"
        );
    }
}
