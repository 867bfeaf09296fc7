//! Sensors.

use portolan_shared::model::{FindingCode as Code, SensorId, SensorState, limits};
use portolan_shared::process::SeededRng;
use portolan_store::{HeldRun, SensorRecord};

use super::scene::{ago, held, now, sensor};
use crate::app::freshness::sensor::{SensorDuties, sensor_concerns};
use crate::app::freshness::{Rank, SensorProgress as State, judge_sensor};

fn heard(seconds: Option<i64>) -> SensorRecord {
    SensorRecord {
        last_seen_at: seconds.map(ago),
        ..sensor()
    }
}

fn standing(state: SensorState) -> SensorRecord {
    SensorRecord { state, ..sensor() }
}

#[test]
fn each_state_has_its_reason() {
    let own = sensor().id;
    let lapsed = HeldRun {
        lease_until: now(),
        ..held(own, 1_200)
    };
    let unknown = HeldRun {
        progress_at: None,
        ..held(own, 0)
    };
    let others = held(SensorId::random(&SeededRng::new(9)), 6_000);
    for (what, sensor, held, state, since) in [
        ("idle", sensor(), vec![], State::Connected, None),
        (
            "another one's work",
            sensor(),
            vec![others],
            State::Connected,
            None,
        ),
        ("just in time", heard(Some(89)), vec![], State::Connected, None),
        ("too late", heard(Some(90)), vec![], State::Away, Some(90)),
        (
            "too late, and at work",
            heard(Some(90)),
            vec![held(own, 700)],
            State::Away,
            Some(90),
        ),
        (
            "heard of in the future",
            heard(Some(-60)),
            vec![],
            State::Connected,
            None,
        ),
        ("never", heard(None), vec![], State::NotYetConnected, Some(86_400)),
        (
            "never, provisional",
            SensorRecord {
                state: SensorState::Provisional,
                ..heard(None)
            },
            vec![],
            State::NotYetConnected,
            Some(86_400),
        ),
        ("at work", sensor(), vec![held(own, 1_199)], State::Working, None),
        (
            "at work to no effect",
            sensor(),
            vec![held(own, 1_200)],
            State::NotProgressing,
            Some(1_200),
        ),
        (
            "one of two gets on",
            sensor(),
            vec![held(own, 1), held(own, 1_201)],
            State::NotProgressing,
            Some(1_201),
        ),
        (
            "its lease is not prolonged",
            sensor(),
            vec![lapsed],
            State::Working,
            None,
        ),
        (
            "leased by a release before",
            sensor(),
            vec![unknown],
            State::Working,
            None,
        ),
        (
            "suspended",
            standing(SensorState::Suspended),
            vec![],
            State::Suspended,
            None,
        ),
        (
            "quarantined",
            standing(SensorState::Quarantined),
            vec![held(own, 1_201)],
            State::Quarantined,
            None,
        ),
        (
            "revoked",
            SensorRecord {
                revoked_at: Some(ago(7)),
                ..standing(SensorState::Revoked)
            },
            vec![],
            State::Revoked,
            Some(7),
        ),
    ] {
        let judged = judge_sensor(&sensor, &held, now());
        assert_eq!((judged.state, judged.since), (state, since.map(ago)), "{what}");
    }
}

#[test]
fn it_matters_most_where_nobody_else_reads() {
    let duties = |registries: usize, alone: usize| {
        let mut duties = SensorDuties::default();
        for number in 0..registries {
            duties.add(&format!("r{number}"), number < alone, false);
        }
        duties
    };
    let contested = SensorRecord {
        contested: true,
        ..sensor()
    };
    let fresh = SensorRecord {
        enrolled_at: ago(89),
        ..heard(None)
    };
    for (sensor, duties, expected) in [
        (sensor(), duties(2, 2), None),
        (heard(Some(90)), duties(0, 0), None),
        (
            heard(Some(600)),
            duties(2, 0),
            Some((
                Rank::Risk,
                Code::SensorAway,
                "last heard of at 2027-01-15T07:50:00Z",
            )),
        ),
        (
            heard(Some(600)),
            duties(2, 1),
            Some((
                Rank::Blind,
                Code::SensorAway,
                "last heard of at 2027-01-15T07:50:00Z; nobody else reads r0",
            )),
        ),
        (
            heard(None),
            duties(5, 5),
            Some((
                Rank::Blind,
                Code::SensorAway,
                "enrolled at 2027-01-14T08:00:00Z, and not heard of since; nobody else reads r0, r1, r2 and 2 more",
            )),
        ),
        (fresh, duties(1, 1), None),
        (standing(SensorState::Suspended), duties(0, 0), None),
        (
            standing(SensorState::Suspended),
            duties(1, 1),
            Some((
                Rank::Blind,
                Code::SensorSuspended,
                "a person has suspended it; nobody else reads r0",
            )),
        ),
        (
            standing(SensorState::Quarantined),
            duties(0, 0),
            Some((Rank::Risk, Code::SensorQuarantined, "its identity was seen twice")),
        ),
        (standing(SensorState::Revoked), duties(1, 1), None),
        (
            contested,
            duties(0, 0),
            Some((
                Rank::Risk,
                Code::SensorContested,
                "somebody else has shown the secret of its enrolment token",
            )),
        ),
    ] {
        let concerns = sensor_concerns(&sensor, &duties, &[], now());
        let told = concerns
            .first()
            .map(|concern| (concern.rank, concern.finding.code, concern.finding.seen.as_str()));
        assert_eq!(told, expected);
        assert_eq!(concerns.len(), usize::from(expected.is_some()));
    }
}

#[test]
fn the_run_that_stands_still_is_named() {
    let record = sensor();
    let runs = [held(record.id, 3), held(record.id, 1_300)];
    let concerns = sensor_concerns(&record, &SensorDuties::default(), &runs, now());
    assert_eq!(concerns[0].rank, Rank::Partial);
    assert_eq!(concerns[0].finding.code, Code::SensorNotProgressing);
    assert_eq!(
        concerns[0].finding.seen,
        "nothing has moved since 2027-01-15T07:38:20Z in its run of gl"
    );
    let run = runs[1].attempt.run;
    assert_eq!(concerns[0].command, format!("portolan run show {run}"));
    let judged = judge_sensor(&record, &runs, now());
    assert_eq!(judged.stuck, Some((run, runs[1].registry_name.clone())));
    assert_eq!(judge_sensor(&record, &runs[..1], now()).stuck, None);
}

#[test]
fn a_sensor_that_waits_for_as_long_as_a_registry_may_demand_does_not_stand_still() {
    let record = sensor();
    let longest = limits::RETRY_AFTER_SECONDS.cast_signed();
    let waits = [held(record.id, longest + 60)];
    assert_eq!(judge_sensor(&record, &waits, now()).state, State::Working);
}

#[test]
fn a_machine_that_begins_anew_wakes_nobody_unless_a_run_waits_for_it() {
    let told = |record: &SensorRecord, alone, waits| {
        let mut duties = SensorDuties::default();
        duties.add("gl", alone, waits);
        let concerns = sensor_concerns(record, &duties, &[], now());
        concerns.iter().map(|concern| concern.rank).collect::<Vec<_>>()
    };
    let enrolled = |seconds| SensorRecord {
        enrolled_at: ago(seconds),
        ..heard(None)
    };
    for (seconds, alone, waits, rank) in [
        (90, true, false, Rank::Advice),
        (599, true, false, Rank::Advice),
        (600, true, false, Rank::Blind),
        (90, true, true, Rank::Blind),
        // Another one will take it.
        (90, false, true, Rank::Advice),
        (600, false, true, Rank::Risk),
    ] {
        assert_eq!(
            told(&heard(Some(seconds)), alone, waits),
            [rank],
            "{seconds} {alone} {waits}"
        );
        assert_eq!(
            told(&enrolled(seconds), alone, waits),
            [rank],
            "{seconds} {alone} {waits}"
        );
    }
}
