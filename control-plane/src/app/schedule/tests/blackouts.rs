//! Windows without starts.

use std::collections::BTreeSet;

use portolan_store::Blackouts;

use super::super::check::check_schedule;
use super::scene::*;
use crate::app::AppError;

fn refused(schedule: &Schedule) -> (&'static str, String) {
    match check_schedule(schedule, registry(1), at("2026-11-21T00:00:00Z")) {
        Err(AppError::Invalid { field, why }) => (field, why),
        other => panic!("{other:?}"),
    }
}

#[test]
fn starts_wait_for_the_end_or_are_skipped() {
    let windows = ["mon-fri 08:00-18:00"];
    let waits = closed(
        exact("daily 12:00", "Europe/Berlin"),
        &windows,
        MissedStart::RunOnce,
    );
    // 21 November 2026 is a Saturday.
    assert_eq!(
        shown(&waits, "2026-11-20T00:00:00Z", 4),
        [
            "11-20 18:00 +01:00",
            "11-21 12:00 +01:00",
            "11-22 12:00 +01:00",
            "11-23 18:00 +01:00"
        ]
    );
    let skips = closed(exact("daily 12:00", "Europe/Berlin"), &windows, MissedStart::Skip);
    assert_eq!(
        shown(&skips, "2026-11-20T00:00:00Z", 3),
        ["11-21 12:00 +01:00", "11-22 12:00 +01:00", "11-28 12:00 +01:00"]
    );
    // Asked within the window, what waits in it is still known, and the last minute of it is in it, its end is not.
    assert_eq!(shown(&waits, "2026-11-20T13:00:00Z", 1), ["11-20 18:00 +01:00"]);
    let edges = closed(
        exact("0 8,18 * * *", "Europe/Berlin"),
        &windows,
        MissedStart::Skip,
    );
    assert_eq!(shown(&edges, "2026-11-20T00:00:00Z", 1), ["11-20 18:00 +01:00"]);
}

#[test]
fn many_starts_in_one_window_become_one() {
    let schedule = closed(
        exact("*/10 * * * *", "UTC"),
        &["22:00-02:00"],
        MissedStart::RunOnce,
    );
    assert_eq!(
        shown(&schedule, "2026-11-20T21:40:00Z", 3),
        ["11-20 21:50 +00:00", "11-21 02:00 +00:00", "11-21 02:10 +00:00"]
    );
}

#[test]
fn a_start_at_the_end_of_a_window_stands_for_those_within_it_wherever_it_is_looked_for() {
    let schedule = Schedule {
        jitter_seconds: None,
        ..closed(
            exact("*/20 * * * *", "UTC"),
            &["22:00-02:00"],
            MissedStart::RunOnce,
        )
    };
    for number in 0..20 {
        let starts = Starts::of(&schedule, registry(number));
        let next = starts.next(at("2026-11-20T23:00:00Z")).unwrap();
        for before in [
            "2026-11-20T21:59:00Z",
            "2026-11-21T01:59:59Z",
            "2026-11-21T02:00:00Z",
        ] {
            let again = starts
                .after(at(before))
                .find(|start| *start >= at("2026-11-21T02:00:00Z"));
            assert!(next == at(before) || again == Some(next), "{before}");
        }
        let just_before = Timestamp::from_second(next.as_second() - 1).unwrap();
        assert_eq!(starts.next(just_before), Some(next));
    }
}

#[test]
fn windows_that_touch_are_one() {
    let windows = ["fri 20:00-24:00", "sat 00:00-12:00", "sat 11:00-13:00"];
    let schedule = closed(exact("daily 21:00", "UTC"), &windows, MissedStart::RunOnce);
    assert_eq!(
        shown(&schedule, "2026-11-20T12:00:00Z", 2),
        ["11-21 13:00 +00:00", "11-21 21:00 +00:00"]
    );
    let window = Blackouts::of(&schedule)
        .around(at("2026-11-21T00:00:00Z"))
        .unwrap();
    assert_eq!(
        (window.from, window.to),
        (at("2026-11-20T20:00:00Z"), at("2026-11-21T13:00:00Z"))
    );
}

#[test]
fn windows_follow_the_clock_on_the_wall() {
    // In the night of 29 March 2026 the window has three hours, in that of 25 October five.
    let schedule = closed(
        exact("daily", "Europe/Berlin"),
        &["00:00-04:00"],
        MissedStart::RunOnce,
    );
    let blackouts = Blackouts::of(&schedule);
    for (inside, hours) in [
        ("2026-03-29T00:30:00Z", 3),
        ("2026-10-25T01:30:00Z", 5),
        ("2026-11-21T00:30:00Z", 4),
    ] {
        let window = blackouts.around(at(inside)).unwrap();
        assert_eq!(
            window.to.duration_since(window.from).as_hours(),
            hours,
            "{inside}"
        );
    }
    // One that ends at a time that is skipped ends with the gap, one that ends at a time that comes twice ends the second time.
    let schedule = closed(
        exact("daily", "Europe/Berlin"),
        &["01:00-02:30"],
        MissedStart::RunOnce,
    );
    let blackouts = Blackouts::of(&schedule);
    assert_eq!(
        blackouts.end(at("2026-03-29T00:30:00Z")),
        Some(at("2026-03-29T01:00:00Z"))
    );
    assert_eq!(
        blackouts.end(at("2026-10-25T00:00:00Z")),
        Some(at("2026-10-25T01:30:00Z"))
    );
    // One that lies in the gap does not come.
    let schedule = closed(
        exact("daily", "Europe/Berlin"),
        &["02:10-02:50"],
        MissedStart::RunOnce,
    );
    assert_eq!(Blackouts::of(&schedule).around(at("2026-03-29T01:00:00Z")), None);
}

#[test]
fn a_fleet_that_waited_for_one_end_is_spread_after_it() {
    let schedule = closed(
        Schedule {
            jitter_seconds: None,
            ..exact("daily", "UTC")
        },
        &["08:00-18:00"],
        MissedStart::Skip,
    );
    let end = at("2026-11-21T18:00:00Z");
    let (mut waited, mut seconds) = (0, BTreeSet::new());
    for number in 0..2_000 {
        let start = Starts::of(&schedule, registry(number))
            .next(at("2026-11-21T07:59:59Z"))
            .unwrap();
        let after = start.duration_since(end).as_secs();
        assert!(after >= 0, "{start}");
        if after <= 300 {
            waited += 1;
            seconds.insert(after);
        }
    }
    // Nobody chose the moment: even where missed starts are skipped nothing is lost, and ten hours of registries do not start in one second.
    assert!((700..=1_000).contains(&waited), "{waited}");
    assert!(seconds.len() > 200, "{}", seconds.len());
}

#[test]
fn what_would_never_start_is_refused() {
    let daily = |windows: &[&str], missed| closed(exact("daily 12:00", "UTC"), windows, missed);
    let (field, why) = refused(&daily(&["00:00-24:00"], MissedStart::RunOnce));
    assert_eq!(field, "schedule.blackouts");
    assert!(
        why.contains("no minute of the week") && why.contains("\"manual\""),
        "{why}"
    );
    let (field, why) = refused(&daily(
        &["mon-fri 08:00-18:00", "sat,sun 11:00-13:00"],
        MissedStart::Skip,
    ));
    assert_eq!(field, "schedule");
    assert!(
        why.contains("never starts") && why.contains("\"run_once\""),
        "{why}"
    );
    let now = at("2026-11-21T00:00:00Z");
    assert!(
        check_schedule(
            &daily(&["mon-fri 08:00-18:00"], MissedStart::Skip),
            registry(1),
            now
        )
        .is_ok()
    );
    assert!(check_schedule(&daily(&["08:00-18:00"], MissedStart::RunOnce), registry(1), now).is_ok());
    // By hand, anything goes.
    let manual = closed(exact("manual", "UTC"), &["00:00-24:00"], MissedStart::Skip);
    assert!(check_schedule(&manual, registry(1), now).is_ok());
    // What was stored all the same never starts, and never hangs.
    assert_eq!(
        Starts::of(&daily(&["00:00-24:00"], MissedStart::RunOnce), registry(1)).next(now),
        None
    );
}

#[test]
fn bounds_are_kept() {
    let many = vec!["10:00-11:00"; 33];
    assert_eq!(
        refused(&closed(exact("daily", "UTC"), &many, MissedStart::Skip)).0,
        "schedule.blackouts"
    );
    let jitter = |seconds| Schedule {
        jitter_seconds: Some(seconds),
        ..exact("daily", "UTC")
    };
    assert_eq!(refused(&jitter(21_601)).0, "schedule.jitter_seconds");
    let longest = |seconds| Schedule {
        max_run_seconds: std::num::NonZeroU32::new(seconds),
        ..exact("daily", "UTC")
    };
    assert_eq!(refused(&longest(31 * 86_400 + 1)).0, "schedule.max_run_seconds");
    let now = at("2026-11-21T00:00:00Z");
    for schedule in [
        jitter(21_600),
        longest(31 * 86_400),
        closed(exact("daily", "UTC"), &many[..32], MissedStart::Skip),
    ] {
        assert!(check_schedule(&schedule, registry(1), now).is_ok());
    }
}
