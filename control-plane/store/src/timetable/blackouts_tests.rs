//! Windows as spans of time, against the same worked out plainly, and how much work that is.

use jiff::{Timestamp, ToSpan as _};
use proptest::prelude::*;

use super::blackouts::{BlackoutSpan, Blackouts};
use super::schedule::Schedule;
use super::zone::{ZoneName, work};

fn schedule(zone: &str, windows: &[String]) -> Schedule {
    Schedule {
        zone: zone.parse().unwrap(),
        blackouts: windows.iter().map(|window| window.parse().unwrap()).collect(),
        ..Schedule::default()
    }
}

/// Every window of two weeks before and after, one by one, and those that touch put together.
fn around_plainly(schedule: &Schedule, at: Timestamp) -> Option<BlackoutSpan> {
    let zone: &ZoneName = &schedule.zone;
    let today = zone.zone().to_datetime(at).date();
    let mut spans = Vec::new();
    for ahead in -15_i64..=15 {
        let day = today.checked_add(ahead.days()).unwrap();
        for window in schedule
            .blackouts
            .iter()
            .filter(|window| window.begins_on(day.weekday()))
        {
            let (from, to) = window.minutes();
            let shown = |minute: u16| {
                let day = day.checked_add(i64::from(minute / 1440).days()).unwrap();
                day.at(0, 0, 0, 0)
                    .checked_add(i64::from(minute % 1440).minutes())
                    .unwrap()
            };
            let (from, to) = (zone.first(shown(from)).unwrap(), zone.last(shown(to)).unwrap());
            if from < to {
                spans.push(BlackoutSpan { from, to });
            }
        }
    }
    spans.sort_unstable();
    let mut one: Option<BlackoutSpan> = None;
    for span in spans {
        match &mut one {
            Some(one) if span.from <= one.to => one.to = one.to.max(span.to),
            Some(one) if one.to > at => break,
            _ => one = Some(span),
        }
    }
    one.filter(|one| one.from <= at && at < one.to)
}

fn any_window() -> impl Strategy<Value = String> {
    let days = prop_oneof![
        Just("mon-sun".to_owned()),
        Just("mon-fri".to_owned()),
        Just("sat,sun".to_owned()),
        Just("sun".to_owned()),
        Just("fri-mon".to_owned())
    ];
    (days, 0_u16..1440, 1_u16..1440).prop_map(|(days, from, long)| {
        let to = (from + long) % 1440;
        let (from_hour, from_minute, hour, minute) = (from / 60, from % 60, to / 60, to % 60);
        format!("{days} {from_hour:02}:{from_minute:02}-{hour:02}:{minute:02}")
    })
}

fn any_zone() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        Just("UTC"),
        Just("Europe/Berlin"),
        Just("America/New_York"),
        Just("Australia/Lord_Howe"),
        Just("Pacific/Apia"),
        Just("Africa/Casablanca"),
    ]
}

/// Moments of twenty years; close to when clocks are set, and a day was skipped, in half of the cases.
fn any_moment() -> impl Strategy<Value = Timestamp> {
    let set = prop_oneof![
        Just("2026-03-29T01:00:00Z"),
        Just("2026-10-25T01:00:00Z"),
        Just("2026-03-08T07:00:00Z"),
        Just("2026-11-01T06:00:00Z"),
        Just("2026-04-04T15:00:00Z"),
        Just("2026-10-03T15:30:00Z"),
        Just("2011-12-30T10:00:00Z"),
    ];
    prop_oneof![
        (1_262_304_000_i64..1_893_456_000).prop_map(|second| Timestamp::from_second(second).unwrap()),
        (set, -200_000_i64..200_000).prop_map(|(set, off)| {
            let set: Timestamp = set.parse().unwrap();
            Timestamp::from_second(set.as_second() + off).unwrap()
        }),
    ]
}

proptest! {
    #[test]
    fn a_window_is_found_as_if_all_were_looked_at(
        windows in proptest::collection::vec(any_window(), 0..5), zone in any_zone(), at in any_moment(),
    ) {
        let schedule = schedule(zone, &windows);
        let blackouts = Blackouts::of(&schedule);
        // One that lasts for longer than a week, or for ever, is beyond the plain look.
        let plainly = around_plainly(&schedule, at);
        prop_assume!(!blackouts.never_end());
        prop_assert_eq!(blackouts.around(at), plainly);
        let free = blackouts.end(at).unwrap();
        prop_assert_eq!(blackouts.around(free), None);
        prop_assert_eq!(free, plainly.map_or(at, |window| window.to));
    }
}

#[test]
fn a_window_that_never_ends_is_one_however_it_is_said() {
    let at: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
    for windows in [
        vec!["00:00-24:00".to_owned()],
        vec![
            "mon-sat 06:00-06:30".to_owned(),
            "12:00-11:00".to_owned(),
            "10:00-13:00".to_owned(),
        ],
    ] {
        let blackouts = Blackouts::of(&schedule("Europe/Berlin", &windows));
        assert!(blackouts.never_end(), "{windows:?}");
        assert_eq!(blackouts.end(at), None);
        assert!(blackouts.around(at).unwrap().to > at);
    }
}

#[test]
fn as_many_windows_as_may_be_are_no_more_work_than_one() {
    let windows: Vec<String> = (0..32)
        .map(|number| {
            format!(
                "{:02}:{:02}-{:02}:{:02}",
                number / 2,
                number % 2 * 30,
                number / 2,
                number % 2 * 30 + 1
            )
        })
        .collect();
    let blackouts = Blackouts::of(&schedule("Europe/Berlin", &windows));
    let begin: Timestamp = "2026-11-21T00:00:00Z".parse().unwrap();
    let before = work::done();
    for minute in 0..10_000 {
        let _ = blackouts.around(Timestamp::from_second(begin.as_second() + minute * 60).unwrap());
    }
    let each = (work::done() - before).div_ceil(10_000);
    assert!(each <= 10, "{each} moments are looked for, for one");
}
