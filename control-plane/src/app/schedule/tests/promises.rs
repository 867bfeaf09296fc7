//! How old things may become by a schedule.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::super::promise::{Promises, lets_become_older, promised};
use super::super::slots::work;
use super::scene::*;

const HOUR: i64 = 3_600;

fn promised_at(schedule: &Schedule, now: &str) -> i64 {
    promised(schedule, registry(1), at(now)).unwrap().as_secs()
}

#[test]
fn the_same_is_promised_whenever_it_is_asked_and_covers_nights_and_weekends() {
    let days = [
        "2026-11-20T07:59:00Z",
        "2026-11-20T08:01:00Z",
        "2026-11-20T13:00:00Z",
        "2026-11-20T19:59:59Z",
        // Friday evening, Sunday, and before the first start on Monday.
        "2026-11-20T22:00:00Z",
        "2026-11-22T12:00:00Z",
        "2026-11-23T07:59:59Z",
        "2026-11-23T08:00:00Z",
        "2026-11-25T12:00:00.5Z",
    ];
    let open = |when| exact(when, "UTC");
    let by_day = |when, missed| closed(exact(when, "UTC"), &["08:00-20:00"], missed);
    for (schedule, longest) in [
        (open("hourly"), HOUR),
        (open("every 5m"), 300),
        (open("daily"), 24 * HOUR),
        (open("weekly sun 03:30"), 7 * 24 * HOUR),
        (open("0 8-18 * * mon-fri"), (2 * 24 + 14) * HOUR),
        (open("*/5 8-18 * * mon-fri"), (2 * 24 + 13) * HOUR + 300),
        (open("30 * * * *"), HOUR),
        (by_day("30 * * * *", MissedStart::Skip), 13 * HOUR),
        // What waits starts at once.
        (by_day("30 * * * *", MissedStart::RunOnce), 12 * HOUR + 1_800),
        (by_day("0 12,21 * * *", MissedStart::Skip), 24 * HOUR),
    ] {
        for now in days {
            let found = promised_at(&schedule, now);
            assert_eq!(found, longest, "{} at {now}", schedule.when);
            let (starts, now) = (Starts::of(&schedule, registry(1)), at(now));
            let gap = starts
                .next(now)
                .unwrap()
                .duration_since(starts.last(now).unwrap());
            assert!(gap.as_secs() <= found, "{} at {now}", schedule.when);
        }
    }
    let hourly = by_day("hourly", MissedStart::RunOnce);
    let found = days.map(|now| promised_at(&hourly, now));
    assert!((12 * HOUR..=13 * HOUR).contains(&found[0]), "{found:?}");
    assert!(found.iter().all(|longest| *longest == found[0]), "{found:?}");
    assert_eq!(promised(&exact("manual", "UTC"), registry(1), at(days[0])), None);
}

#[test]
fn the_gap_that_now_falls_between_counts_however_long_it_is() {
    for (when, now, longest) in [
        // Every day of December, and of no other month.
        ("0 3 * 12 *", "2027-06-01T00:00:00Z", 335),
        ("0 3 * 12 *", "2026-12-30T00:00:00Z", 335),
        ("0 3 29 2 *", "2026-11-21T00:00:00Z", 4 * 365 + 1),
        ("0 3 1 * *", "2026-11-21T00:00:00Z", 30),
        ("0 3 1 * *", "2026-12-21T00:00:00Z", 31),
        ("0 3 1 1,2 *", "2026-11-21T00:00:00Z", 334),
    ] {
        assert_eq!(
            promised_at(&exact(when, "UTC"), now),
            longest * 24 * HOUR,
            "{when}"
        );
    }
}

#[test]
fn the_last_start_is_the_one_that_all_starts_come_to() {
    let schedule = closed(
        exact("*/20 5-9 * * mon-fri", "Europe/Berlin"),
        &["tue 06:00-08:30"],
        MissedStart::RunOnce,
    );
    let starts = Starts::of(&schedule, registry(3));
    let all: Vec<_> = starts.after(at("2026-11-01T00:00:00Z")).take(120).collect();
    for pair in all.windows(2) {
        let second = SignedDuration::from_secs(1);
        assert_eq!(starts.last(pair[0]), Some(pair[0]));
        assert_eq!(starts.last(pair[1] - second), Some(pair[0]));
    }
}

#[test]
fn whether_it_becomes_older_is_found_out_as_how_old_is() {
    let now = at("2026-11-21T12:00:00Z");
    for when in ["hourly", "daily 03:30", "0 8-18 * * mon-fri", "weekly"] {
        let schedule = exact(when, "UTC");
        let longest = promised(&schedule, registry(1), now).unwrap();
        let second = SignedDuration::from_secs(1);
        for (age, older) in [(longest - second, true), (longest, false), (longest * 9, false)] {
            let found = lets_become_older(&schedule, registry(1), now, age);
            assert_eq!(found, Some(older), "{when} {age:?}");
        }
    }
    let none = lets_become_older(&exact("manual", "UTC"), registry(1), now, SignedDuration::ZERO);
    assert_eq!(none, None);
}

#[test]
fn what_is_promised_takes_bounded_work_to_find() {
    let windows: Vec<String> = (0..32)
        .map(|number| {
            format!(
                "{} {:02}:05-{:02}:50",
                ["mon", "thu"][number % 2],
                number / 2,
                number / 2
            )
        })
        .collect();
    let windows: Vec<&str> = windows.iter().map(String::as_str).collect();
    for when in [
        "* * * * *",
        "every 1m",
        "hourly",
        "0 * * * *",
        "0 8-18 * * mon-fri",
        "weekly",
        "0 3 29 2 *",
    ] {
        for jitter in [None, Some(21_600)] {
            for windows in [&windows[..], &[]] {
                let schedule = Schedule {
                    jitter_seconds: jitter,
                    ..closed(exact(when, "Europe/Berlin"), windows, MissedStart::RunOnce)
                };
                let before = work::done();
                promised(&schedule, registry(2), at("2026-11-21T00:00:00Z"));
                let done = work::done() - before;
                // Two starts are looked for in each of 384 steps, each among twenty slots.
                assert!(done <= 2 * 384 * 20, "{when} {jitter:?}: {done}");
            }
        }
    }
}

#[test]
fn what_was_reckoned_is_kept_for_a_day_at_most_and_until_the_schedule_is_changed() {
    let now = at("2026-11-21T12:00:00Z");
    let schedules: BTreeMap<_, _> = (0..50)
        .map(|number| (registry(number), exact("hourly", "UTC")))
        .collect();
    let promises = Promises::default();
    let reckoned = |schedules: &BTreeMap<_, Schedule>, now| {
        let before = work::done();
        let found = promises.of_all(schedules.iter().map(|(id, schedule)| (*id, schedule)), now);
        assert_eq!(found.len(), schedules.len());
        (found, work::done() - before)
    };
    let (first, all) = reckoned(&schedules, now);
    assert!(all > 0);
    assert_eq!(reckoned(&schedules, now), (first.clone(), 0));
    let hour = SignedDuration::from_hours(1);
    let (_, some) = reckoned(&schedules, now + hour);
    assert!(
        some < all / 2,
        "{some} of {all}: not all are reckoned anew at once"
    );
    let (again, after_a_day) = reckoned(&schedules, now + hour * 25);
    assert_eq!(again, first);
    assert!(after_a_day > all / 2, "{after_a_day} of {all}");
    assert!(reckoned(&schedules, now).1 > all / 2, "the clock was set back");

    let mut changed = schedules.clone();
    changed.insert(registry(7), exact("weekly", "UTC"));
    let (found, work) = reckoned(&changed, now);
    assert!(work > 0 && work < all / 2, "{work}");
    assert_eq!(found[&registry(7)], hour * (24 * 7));

    let few: BTreeMap<_, _> = schedules.into_iter().take(3).collect();
    reckoned(&few, now);
    assert_eq!(promises.kept(), 3, "the others are forgotten");
}
