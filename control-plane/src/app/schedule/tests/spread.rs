//! A fleet does not start at once.

use std::collections::BTreeMap;

use portolan_store::When;

use super::super::slots::work;
use super::scene::*;

fn first(schedule: &Schedule, number: u64) -> Timestamp {
    Starts::of(schedule, registry(number))
        .next(at("2026-11-21T00:00:00Z"))
        .unwrap()
}

#[test]
fn ten_thousand_registries_are_spread_over_the_hour() {
    let schedule = Schedule {
        when: When::Hourly,
        ..Schedule::default()
    };
    let mut minutes: BTreeMap<i64, u32> = BTreeMap::new();
    for number in 0..10_000 {
        *minutes
            .entry(first(&schedule, number).as_second() / 60)
            .or_default() += 1;
    }
    assert_eq!(minutes.len(), 60);
    // On average 167 a minute: six standard deviations are 77.
    assert!(
        minutes.values().all(|count| (90..=244).contains(count)),
        "{minutes:?}"
    );
}

#[test]
fn moments_that_are_left_open_are_spread_over_what_they_are_left_open_in() {
    for (when, span) in [
        ("daily", 86_400),
        ("weekly", 7 * 86_400),
        ("on-push", 86_400),
        ("every 6h", 21_600),
    ] {
        let schedule = exact(when, "UTC");
        let begin = at("2026-11-21T00:00:00Z").as_second();
        let mut tenths = [0; 10];
        for number in 0..1_000 {
            let after = first(&schedule, number).as_second() - begin;
            assert!((1..=span).contains(&after), "{when}: {after}");
            tenths[usize::try_from((after - 1) * 10 / span).unwrap()] += 1;
        }
        assert!(tenths.iter().all(|count| *count > 50), "{when}: {tenths:?}");
    }
}

#[test]
fn jitter_is_the_same_each_time_and_within_its_bounds() {
    for (when, given, most) in [
        ("daily 03:30", None, 60),
        ("weekly sun 03:30", None, 60),
        ("30 3 * * *", None, 60),
        ("daily 03:30", Some(900), 900),
        ("daily 03:30", Some(0), 0),
    ] {
        let schedule = Schedule {
            jitter_seconds: given,
            ..exact(when, "UTC")
        };
        let mut seen = 0;
        for number in 0..300 {
            let start = first(&schedule, number);
            assert_eq!(start, first(&schedule, number));
            let off = (start.as_second() - (3 * 60 + 30) * 60).rem_euclid(86_400);
            assert!((0..=most).contains(&off), "{when} {given:?}: {off}");
            seen = seen.max(off);
        }
        assert!(seen * 10 >= most * 9, "{when} {given:?}: never more than {seen}");
    }
}

#[test]
fn intervals_are_put_off_by_a_tenth_at_most() {
    for (when, seconds, most) in [("every 10m", 600, 60), ("every 12h", 43_200, 300)] {
        let schedule = Schedule {
            jitter_seconds: None,
            ..exact(when, "UTC")
        };
        let plain = exact(when, "UTC");
        let begin = at("2026-11-21T00:00:00Z");
        let put_off: Vec<_> = Starts::of(&schedule, registry(7)).after(begin).take(50).collect();
        let slots: Vec<_> = Starts::of(&plain, registry(7)).after(begin).take(50).collect();
        for start in put_off {
            let off = (start.as_second() - slots[0].as_second()).rem_euclid(seconds);
            assert!(off <= most, "{when}: {off}");
        }
    }
}

#[test]
fn jitter_never_reaches_the_next_start() {
    let schedule = Schedule {
        jitter_seconds: Some(3_600),
        ..exact("* * * * *", "UTC")
    };
    let starts: Vec<_> = Starts::of(&schedule, registry(2))
        .after(at("2026-11-21T00:00:00Z"))
        .take(200)
        .collect();
    let minutes: Vec<_> = starts.iter().map(|start| start.as_second() / 60).collect();
    assert!(
        minutes.windows(2).all(|pair| pair[1] == pair[0] + 1),
        "{minutes:?}"
    );
}

#[test]
fn the_next_start_is_found_without_looking_at_all_that_jitter_could_reach() {
    let windows: Vec<String> = (0..32)
        .map(|number| {
            format!(
                "mon {:02}:{:02}-{:02}:{:02}",
                number / 2,
                number % 2 * 30,
                number / 2,
                number % 2 * 30 + 9
            )
        })
        .collect();
    let windows: Vec<&str> = windows.iter().map(String::as_str).collect();
    // Six hours are 360 slots; twice within a slot are nine halves of them.
    for (when, most) in [
        ("* * * * *", 20),
        ("every 1m", 20),
        ("0 * * * *", 20),
        ("daily 03:30", 20),
    ] {
        for windows in [&windows[..], &[]] {
            let schedule = Schedule {
                jitter_seconds: Some(21_600),
                ..closed(exact(when, "Europe/Berlin"), windows, MissedStart::RunOnce)
            };
            let before = work::done();
            let starts = Starts::of(&schedule, registry(2));
            let shown = starts.after(at("2026-11-21T00:00:00Z")).take(100);
            assert_eq!(shown.count(), 100);
            let each = (work::done() - before).div_ceil(100);
            assert!(each <= most, "{when}: {each} slots are looked for, for one start");
        }
    }
}
