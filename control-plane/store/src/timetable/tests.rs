//! What is said reads, shows as the same, and what is wrong is named with an example.

use jiff::civil::date;
use proptest::prelude::*;

use super::*;

fn when(text: &str) -> When {
    text.parse().unwrap()
}

fn refusal<T: std::str::FromStr<Err = TimetableError> + std::fmt::Debug>(text: &str) -> String {
    text.parse::<T>().unwrap_err().to_string()
}

#[test]
fn every_form_is_read_and_shown() {
    for (text, shown) in [
        ("manual", "manual"),
        ("every 15m", "every 15m"),
        ("every 15 min", "every 15m"),
        ("every 360m", "every 6h"),
        ("every 48h", "every 2d"),
        ("Every 31d", "every 31d"),
        ("hourly", "hourly"),
        ("daily", "daily"),
        (" daily  3:30 ", "daily 03:30"),
        ("weekly", "weekly"),
        ("weekly Sunday 23:59", "weekly sun 23:59"),
        ("on-push", "on-push"),
        ("cron 0 3 * * 1-5", "cron 0 3 * * 1-5"),
        ("0 3 * * MON-FRI", "cron 0 3 * * mon-fri"),
        ("*/5  * * * *", "cron */5 * * * *"),
        ("0 0 L * *", "cron 0 0 l * *"),
        ("0 0 29 feb *", "cron 0 0 29 feb *"),
        ("0 0 15W * 5L", "cron 0 0 15w * 5l"),
    ] {
        assert_eq!(when(text).to_string(), shown, "{text:?}");
        assert_eq!(when(shown), when(text));
    }
}

#[test]
fn what_is_wrong_is_named_with_an_example() {
    for (text, names) in [
        ("", "\"\" is not a schedule: expected manual, every 15m"),
        ("sometimes", "\"sometimes\" is not a schedule"),
        ("@daily", "\"@daily\" is not a schedule"),
        ("daily 3:30 4:30", "is not a schedule"),
        ("every", "\"\" is not an interval"),
        ("every 0m", "\"0m\" is not an interval: expected whole minutes"),
        ("every 32d", "\"32d\" is not an interval"),
        ("every 90s", "\"90s\" is not an interval"),
        ("every 99999999999d", "is not an interval"),
        (
            "daily 24:00",
            "\"24:00\" is not a time of day: expected 00:00 to 23:59",
        ),
        ("daily 3:5", "\"3:5\" is not a time of day"),
        ("weekly sonntag 3:00", "\"sonntag\" is not a day of the week"),
        ("weekly sun 25:00", "\"25:00\" is not a time of day"),
        ("cron 0 3 * *", "has five fields"),
        ("0 0 3 * * *", "this one has 6"),
        (
            "60 3 * * *",
            "\"60\" is not the minute of a cron expression: expected 0 to 59",
        ),
        ("0 24 * * *", "\"24\" is not the hour"),
        ("0 3 32 * *", "\"32\" is not the day of month"),
        ("0 3 * 13 *", "\"13\" is not the month"),
        ("0 3 * mon *", "\"mon\" is not the month"),
        ("0 3 * * 8", "\"8\" is not the day of week"),
        ("0 3 * * sunday", "\"sunday\" is not the day of week"),
        ("0 3 * * jan", "\"jan\" is not the day of week"),
        ("0 3 1 * +mon", "\"+mon\" is not the day of week"),
        ("*/0 3 * * *", "\"*/0\" is not the minute"),
        ("0 3 30 2 *", "cron \"0 3 30 2 *\" never comes"),
        ("0 3 31 4,6,9,11 *", "never comes"),
    ] {
        let said = refusal::<When>(text);
        assert!(said.contains(names), "{text:?}: {said}");
    }
    let long = format!("cron {}", "0".repeat(200));
    assert!(refusal::<When>(&long).contains("at most 128 characters"));
    let much = refusal::<When>(&"x".repeat(100));
    assert!(
        much.contains(&format!("{:?}... is not", "x".repeat(64))),
        "{much}"
    );
}

#[test]
fn windows_are_read_and_shown() {
    for (text, shown) in [
        ("mon-fri 08:00-18:00", "mon-fri 08:00-18:00"),
        ("sat,sun 0:00-24:00", "sat,sun 00:00-24:00"),
        ("22:00-02:00", "22:00-02:00"),
        ("fri-mon 10:00-11:00", "mon,fri-sun 10:00-11:00"),
        ("mon-sun 10:00-11:00", "10:00-11:00"),
        ("Monday,wed 23:30-00:00", "mon,wed 23:30-00:00"),
    ] {
        let window: Blackout = text.parse().unwrap();
        assert_eq!(window.to_string(), shown);
        assert_eq!(shown.parse::<Blackout>().unwrap(), window);
    }
    for text in [
        "",
        "mon",
        "08:00",
        "8-18",
        "mon 08:00-08:00",
        "24:00-01:00",
        "08:00-24:30",
        "xyz 08:00-09:00",
        "mon- 08:00-09:00",
        "mon 08:00-09:00 x",
    ] {
        let said = refusal::<Blackout>(text);
        assert!(
            said.contains("such as \"mon-fri 08:00-18:00\""),
            "{text:?}: {said}"
        );
    }
}

#[test]
fn a_window_over_midnight_ends_on_the_next_day() {
    let window: Blackout = "fri 22:00-02:00".parse().unwrap();
    assert_eq!(window.minutes(), (22 * 60, 26 * 60));
    assert!(window.begins_on(jiff::civil::Weekday::Friday));
    assert!(!window.begins_on(jiff::civil::Weekday::Saturday));
}

#[test]
fn windows_that_leave_nothing_are_known() {
    let never_end = |texts: &[&str]| {
        let schedule = Schedule {
            blackouts: texts.iter().map(|text| text.parse().unwrap()).collect(),
            ..Schedule::default()
        };
        Blackouts::of(&schedule).never_end()
    };
    assert!(never_end(&["00:00-24:00"]));
    assert!(never_end(&["22:00-06:00", "06:00-22:00"]));
    assert!(never_end(&["mon-sat 12:00-12:01", "sun-sat 00:00-24:00"]));
    assert!(!never_end(&["22:00-06:00", "06:01-22:00"]));
    assert!(!never_end(&["mon-sat 00:00-24:00"]));
    assert!(!never_end(&[]));
}

#[test]
fn zones_are_those_of_the_database() {
    for (text, shown) in [
        ("UTC", "UTC"),
        ("europe/berlin", "Europe/Berlin"),
        ("Asia/Kolkata", "Asia/Kolkata"),
    ] {
        assert_eq!(text.parse::<ZoneName>().unwrap().to_string(), shown);
    }
    assert_eq!("utc".parse::<ZoneName>().unwrap(), ZoneName::default());
    for text in [
        "",
        "Mars/Olympus",
        "CET-1CEST",
        "../etc/passwd",
        "Etc/Unknown",
        "+02:00",
    ] {
        assert!(
            refusal::<ZoneName>(text).contains("such as \"Europe/Berlin\""),
            "{text:?}"
        );
    }
    let all = ZoneName::all();
    assert!(all.len() > 400 && all.contains(&"Australia/Lord_Howe".to_owned()));
}

#[test]
fn words_of_missed_starts() {
    assert_eq!("run-once".parse::<MissedStart>().unwrap().to_string(), "run_once");
    assert_eq!("skip".parse::<MissedStart>().unwrap(), MissedStart::Skip);
    assert!(refusal::<MissedStart>("later").contains("expected run_once"));
}

#[test]
fn cron_names_moments_on_the_wall() {
    let cron: CronExpression = "30 3 29 2 *".parse().unwrap();
    let next = cron.next_on_the_wall(date(2096, 3, 1).at(0, 0, 0, 0)).unwrap();
    // The year 2100 has no leap day.
    assert_eq!(next, date(2104, 2, 29).at(3, 30, 0, 0));
    assert_eq!(
        cron.next_on_the_wall(date(2104, 2, 29).at(3, 29, 59, 5)).unwrap(),
        next
    );
    assert!(cron.next_on_the_wall(next).unwrap() > next);
    assert_eq!(cron.next_on_the_wall(date(9999, 12, 31).at(0, 0, 0, 0)), None);
    let either: CronExpression = "0 0 30 2 fri".parse().unwrap();
    let friday = either.next_on_the_wall(date(2025, 1, 1).at(0, 0, 0, 0)).unwrap();
    assert_eq!(friday, date(2025, 2, 7).at(0, 0, 0, 0));
}

#[test]
fn cron_with_open_hours_goes_by_elapsed_time() {
    for (text, elapsed) in [
        ("*/15 * * * *", true),
        ("0 */6 * * *", true),
        ("0 0-12/3 * * *", true),
        ("*/15 2 * * *", false),
        ("0 1,2,3 * * *", false),
    ] {
        assert_eq!(
            text.parse::<CronExpression>().unwrap().goes_by_elapsed_time(),
            elapsed,
            "{text}"
        );
    }
}

fn any_cron() -> impl Strategy<Value = String> {
    let minute = prop_oneof![
        Just("*".to_owned()),
        (0_u8..60).prop_map(|m| m.to_string()),
        (1_u8..30).prop_map(|m| format!("*/{m}"))
    ];
    let hour = prop_oneof![
        Just("*".to_owned()),
        (0_u8..24).prop_map(|h| h.to_string()),
        (0_u8..12, 12_u8..24).prop_map(|(a, b)| format!("{a}-{b}"))
    ];
    let day = prop_oneof![
        Just("*".to_owned()),
        (1_u8..29).prop_map(|d| d.to_string()),
        Just("l".to_owned())
    ];
    let weekday = prop_oneof![
        Just("*".to_owned()),
        (0_u8..8).prop_map(|d| d.to_string()),
        Just("mon-fri".to_owned())
    ];
    (minute, hour, day, 1_u8..13, weekday).prop_map(|(m, h, d, month, w)| format!("{m} {h} {d} {month} {w}"))
}

fn any_when() -> impl Strategy<Value = When> {
    let time = || (0_u16..1440).prop_map(|minute| TimeOfDay::of_minute(minute).unwrap());
    let day =
        (0_i8..7).prop_map(|day| Weekday::from(jiff::civil::Weekday::from_monday_zero_offset(day).unwrap()));
    prop_oneof![
        Just(When::Manual),
        Just(When::Hourly),
        Just(When::OnPush),
        (1_u32..=31 * 1440).prop_map(|minutes| When::Every(Interval::of_minutes(minutes).unwrap())),
        proptest::option::of(time()).prop_map(When::Daily),
        proptest::option::of((day, time())).prop_map(When::Weekly),
        any_cron().prop_map(|text| When::Cron(text.parse().unwrap())),
    ]
}

proptest! {
    #[test]
    fn what_is_shown_reads_as_the_same(when in any_when()) {
        prop_assert_eq!(when.to_string().parse::<When>().unwrap(), when);
    }

    #[test]
    fn windows_show_as_what_they_are(days in 1_u8..128, from in 0_u16..1440, to in 0_u16..=1440) {
        prop_assume!(from != to);
        let days: Vec<&str> = time_of_day::DAYS.iter().enumerate().filter(|(i, _)| days & (1 << i) != 0).map(|(_, day)| *day).collect();
        let text = format!("{} {:02}:{:02}-{:02}:{:02}", days.join(","), from / 60, from % 60, to / 60, to % 60);
        let window: Blackout = text.parse().unwrap();
        prop_assert_eq!(window.to_string().parse::<Blackout>().unwrap(), window);
    }

    #[test]
    fn no_text_is_too_much(text in "\\PC{0,140}", some in "(cron |every |daily |weekly )?[0-9*/,#LW?+a-z :-]{0,40}") {
        for text in [&text, &some] {
            if let Ok(when) = text.parse::<When>() {
                prop_assert_eq!(when.to_string().parse::<When>(), Ok(when));
            }
            let _ = text.parse::<Blackout>();
            let _ = text.parse::<ZoneName>();
            let _ = text.parse::<CronExpression>();
        }
    }
}
