use proptest::prelude::*;

use super::super::courier::{Failure, FailureWord};
use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn answered(status: u16) -> Reply {
    Reply::Answered {
        status,
        retry_after: None,
    }
}

fn later(status: u16, text: &str) -> Reply {
    Reply::Answered {
        status,
        retry_after: Some(text.to_owned()),
    }
}

fn silence() -> Reply {
    Reply::Failed(Failure {
        word: FailureWord::Timeout,
        detail: "the endpoint did not answer in time".to_owned(),
    })
}

/// An attempt at its time.
fn from_to(began: Timestamp, ended: Timestamp) -> Times {
    let planned = began;
    Times {
        planned,
        began,
        ended,
    }
}

/// How long until the next attempt, after the first one.
fn pause_after(reply: &Reply) -> i64 {
    match judge(None, reply, from_to(at(0), at(0)), 1.0) {
        DeliveryOutcome::Again { at: next, .. } => next.duration_since(at(0)).as_secs(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn only_an_answer_that_says_so_is_a_delivery() {
    for status in 100..600 {
        let outcome = judge(None, &answered(status), from_to(at(0), at(1)), 0.5);
        let arrived = outcome == DeliveryOutcome::Delivered;
        assert_eq!(arrived, (200..300).contains(&status), "{status}");
        assert_eq!(
            Verdict::of(&answered(status)).failure.is_none(),
            arrived,
            "{status}"
        );
    }
    assert_ne!(
        judge(None, &silence(), from_to(at(0), at(1)), 0.5),
        DeliveryOutcome::Delivered
    );
    let words = |status| Verdict::of(&answered(status)).failure;
    assert_eq!(
        [words(302), words(410), words(500)],
        [Some("redirect"), Some("gone"), Some("status")]
    );
    assert_eq!(Verdict::of(&silence()).failure, Some("timeout"));
}

#[test]
fn an_endpoint_that_is_gone_is_left_alone_at_once() {
    let outcome = judge(None, &answered(410), from_to(at(0), at(1)), 0.5);
    let tries = Tries {
        attempts: 1,
        since: at(0),
    };
    let why = WhyDisabled::Gone;
    assert_eq!(outcome, DeliveryOutcome::Disabled { tries, why });
}

#[test]
fn what_an_endpoint_asks_for_is_heard_within_bounds() {
    for (asked, seconds) in [
        ("30", 30),
        (" 30 ", 30),
        ("0", 5),
        ("4", 5),
        ("3600", 3_600),
        ("3601", 3_600),
        ("99999999999999999999999", 3_600),
        // 30 s and an hour and a bit later than `at(0)`; and one that is past.
        ("Fri, 15 Jan 2027 08:00:30 GMT", 30),
        ("Fri, 15 Jan 2027 09:07:00 GMT", 3_600),
        ("Fri, 15 Jan 2027 07:00:00 GMT", 5),
        // Not read: as if nothing had been asked.
        ("", 5),
        ("soon", 5),
        ("-1", 5),
        ("1.5", 5),
    ] {
        assert_eq!(pause_after(&later(429, asked)), seconds, "{asked:?}");
        assert_eq!(pause_after(&later(503, asked)), seconds, "{asked:?}");
    }
    assert_eq!(pause_after(&later(500, "30")), 5, "only where it has a meaning");
}

/// An endpoint that never answers, on virtual time: when it was tried, and how that ended.
fn never(fraction: impl Fn(u32) -> f64) -> (Vec<i64>, DeliveryOutcome) {
    let mut tries = None;
    let (mut now, mut tried) = (at(0), Vec::new());
    loop {
        tried.push(now.duration_since(at(0)).as_secs());
        let began = now;
        now += SignedDuration::from_secs(20);
        let draw = fraction(u32::try_from(tried.len()).unwrap());
        match judge(tries, &silence(), from_to(began, now), draw) {
            DeliveryOutcome::Again { tries: so_far, at } => {
                assert!(at > now && at.duration_since(now) <= SignedDuration::from_hours(1));
                tries = Some(so_far);
                now = at;
            }
            ended => return (tried, ended),
        }
    }
}

#[test]
fn a_message_is_tried_for_a_day_ever_more_patiently() {
    let (tried, ended) = never(|_| 1.0);
    assert_eq!(
        tried[..5],
        [0, 25, 55, 95, 155],
        "5 s, 10 s, 20 s, 40 s after 20 s each"
    );
    let gaps: Vec<i64> = tried.windows(2).map(|two| two[1] - two[0]).collect();
    assert_eq!(gaps[15], 3_620, "an hour at most");
    assert_eq!(
        tried.last(),
        Some(&(24 * 3_600)),
        "and once more when the day is over"
    );
    let tries = Tries {
        attempts: u32::try_from(tried.len()).unwrap(),
        since: at(0),
    };
    let why = WhyDisabled::Undeliverable;
    assert_eq!(ended, DeliveryOutcome::Disabled { tries, why });
}

#[test]
fn time_in_which_nobody_tried_does_not_count() {
    let (minute, hour, day) = (60, 3_600, 86_400);
    let tries = Some(Tries {
        attempts: 1,
        since: at(0),
    });
    let judged = |planned, began, ended| {
        let (planned, began, ended) = (at(planned), at(began), at(ended));
        judge(
            tries,
            &silence(),
            Times {
                planned,
                began,
                ended,
            },
            1.0,
        )
    };
    // No control plane for two days, a machine that slept, a clock that was set on: between two attempts, or in the middle of one.
    for (times, tried) in [
        ((20, 2 * day, 2 * day + 20), 40),
        ((20, 25, 2 * day), 25 + minute),
        ((23 * hour, 3 * day, 3 * day + 20), 23 * hour + 20),
        // A little late is as good as in time.
        ((20, 20 + 15 * minute, 40 + 15 * minute), 40 + 15 * minute),
    ] {
        match judged(times.0, times.1, times.2) {
            DeliveryOutcome::Again { tries, at: next } => {
                assert_eq!(
                    (tries.since, tries.attempts),
                    (at(times.2 - tried), 2),
                    "{times:?}"
                );
                assert!(next > at(times.2), "{times:?}");
            }
            other => panic!("{times:?}: {other:?}"),
        }
    }
    // A day in which somebody tried is one.
    for times in [(day, day, day + 20), (23 * hour + 3_590, 2 * day, 2 * day + 20)] {
        let judged = judged(times.0, times.1, times.2);
        let why = WhyDisabled::Undeliverable;
        let is_over = matches!(judged, DeliveryOutcome::Disabled { why: over, .. } if over == why);
        assert!(is_over, "{times:?}: {judged:?}");
    }
}

#[test]
fn a_clock_that_is_set_back_does_not_prolong_it_for_long() {
    let tries = Some(Tries {
        attempts: 3,
        since: at(7_200),
    });
    match judge(tries, &silence(), from_to(at(0), at(1)), 1.0) {
        DeliveryOutcome::Again { tries, at: next } => {
            assert_eq!((tries.since, tries.attempts), (at(0), 4));
            assert!(next <= at(1 + 3_600));
        }
        other => panic!("{other:?}"),
    }
    let end = Timestamp::MAX;
    judge(None, &silence(), from_to(end, end), 1.0);
    judge(
        None,
        &later(503, "Fri, 31 Dec 9999 23:59:59 GMT"),
        from_to(Timestamp::MIN, Timestamp::MIN),
        1.0,
    );
}

proptest! {
    #[test]
    fn however_it_is_drawn_the_day_is_kept(draws in proptest::collection::vec(0.0..=1.0_f64, 64)) {
        let (tried, ended) = never(|number| draws[number as usize % draws.len()]);
        let last = tried.last().copied().unwrap_or_default();
        prop_assert!((24 * 3_600 - 20..=24 * 3_600).contains(&last), "{}", last);
        prop_assert!((30..60).contains(&tried.len()), "{}", tried.len());
        let undeliverable = matches!(ended, DeliveryOutcome::Disabled { why: WhyDisabled::Undeliverable, .. });
        prop_assert!(undeliverable);
    }

    #[test]
    fn no_retry_after_is_a_panic_or_a_pause_out_of_bounds(text in "\\PC{0,64}", status in prop_oneof![Just(429_u16), Just(503)]) {
        let pause = pause_after(&later(status, &text));
        prop_assert!((3..=3_600).contains(&pause));
    }
}
