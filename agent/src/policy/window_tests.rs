use super::super::file::parse;
use super::*;

fn windows(text: &str) -> Vec<Window> {
    parse(&format!("version = 1\n{text}")).unwrap().windows
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[test]
fn without_windows_it_is_always_open() {
    assert_eq!(hour(&[], at("2026-01-05T12:00:00Z")), Hour::Open(None));
}

#[test]
fn a_window_opens_and_closes_at_its_minute() {
    // The fifth of January 2026 is a Monday.
    let office = windows("[[window]]\ndays = [\"mon\", \"tue\"]\nhours = \"09:30-17:00\"\n");
    let of = |text| hour(&office, at(text));
    let (opens, closes) = (at("2026-01-05T09:30:00Z"), at("2026-01-05T17:00:00Z"));
    assert_eq!(of("2026-01-05T09:29:59Z"), Hour::Closed(opens));
    assert_eq!(of("2026-01-05T09:30:00Z"), Hour::Open(Some(closes)));
    assert_eq!(of("2026-01-05T16:59:59Z"), Hour::Open(Some(closes)));
    assert_eq!(
        of("2026-01-05T17:00:00Z"),
        Hour::Closed(at("2026-01-06T09:30:00Z"))
    );
    assert_eq!(
        of("2026-01-06T17:00:00Z"),
        Hour::Closed(at("2026-01-12T09:30:00Z"))
    );
}

#[test]
fn a_window_over_midnight_belongs_to_the_day_on_which_it_begins() {
    let night = windows("[[window]]\ndays = [\"fri\"]\nhours = \"22:00-06:00\"\n");
    let closes = at("2026-01-10T06:00:00Z");
    assert_eq!(
        hour(&night, at("2026-01-09T05:00:00Z")),
        Hour::Closed(at("2026-01-09T22:00:00Z"))
    );
    assert_eq!(hour(&night, at("2026-01-10T05:59:59Z")), Hour::Open(Some(closes)));
    assert_eq!(hour(&night, closes), Hour::Closed(at("2026-01-16T22:00:00Z")));
}

#[test]
fn windows_that_touch_are_one_and_whole_days_never_close() {
    let two = windows(
        "[[window]]\ndays = [\"mon\"]\nhours = \"20:00-24:00\"\n[[window]]\ndays = [\"tue\"]\nhours = \"00:00-04:00\"\n",
    );
    assert_eq!(
        hour(&two, at("2026-01-05T21:00:00Z")),
        Hour::Open(Some(at("2026-01-06T04:00:00Z")))
    );
    let always = windows("[[window]]\nhours = \"00:00-24:00\"\n");
    assert_eq!(hour(&always, at("2026-01-05T21:00:00Z")), Hour::Open(None));
}

#[test]
fn windows_follow_the_clock_of_their_zone() {
    let berlin = windows("[[window]]\nhours = \"01:00-05:00\"\nzone = \"Europe/Berlin\"\n");
    let of = |text| hour(&berlin, at(text));
    assert_eq!(
        of("2026-01-05T00:00:00Z"),
        Hour::Open(Some(at("2026-01-05T04:00:00Z")))
    );
    assert_eq!(
        of("2026-07-05T00:00:00Z"),
        Hour::Open(Some(at("2026-07-05T03:00:00Z")))
    );
    // In the night of the change to summer time the hours are three.
    assert_eq!(
        of("2026-03-29T00:00:00Z"),
        Hour::Open(Some(at("2026-03-29T03:00:00Z")))
    );
}

#[test]
fn windows_say_what_they_are() {
    let two = windows(
        "[[window]]\ndays = [\"sat\", \"sun\"]\nhours = \"22:00-06:00\"\n[[window]]\nhours = \"00:00-24:00\"\nzone = \"Europe/Berlin\"\n",
    );
    let texts: Vec<String> = two.iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        ["sat sun 22:00-06:00 UTC", "every day 00:00-24:00 Europe/Berlin"]
    );
}

#[test]
fn faults_of_windows_have_their_lines_and_there_is_a_bound() {
    let text = "version = 1\n[[window]]\ndays = [\"someday\"]\nhours = \"25:00-26:00\"\nzone = \"Mars/Base\"\nnights = 1\n[[window]]\ndays = []\n";
    let faults = parse(text).unwrap_err();
    let lines: Vec<usize> = faults.0.iter().map(|fault| fault.line).collect();
    assert_eq!(lines, [3, 3, 4, 5, 6, 7, 8], "{faults}");
    for bad in [
        "1:00-02:00",
        "01:00-01:00",
        "24:00-01:00",
        "01:60-02:00",
        "01:00",
        "",
    ] {
        assert!(bad.parse::<Hours>().is_err(), "{bad:?}");
    }
    let many = |n| {
        format!(
            "version = 1\n{}",
            "[[window]]\nhours = \"01:00-02:00\"\n".repeat(n)
        )
    };
    assert!(parse(&many(WINDOWS)).is_ok() && parse(&many(WINDOWS + 1)).is_err());
}
