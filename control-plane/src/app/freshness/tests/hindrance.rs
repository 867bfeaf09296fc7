//! What keeps registries from being read.

use portolan_shared::model::{FindingCode as Code, RunState, SensorState};
use portolan_store::{AssignedSensor, RegistryPulse};

use super::registry::{judged, paused, scheduled};
use super::scene::{ago, assigned, ended, new, now, pulse, waiting};
use crate::app::freshness::registry::judge_registry;
use crate::app::freshness::{FreshnessState as State, Rank};

#[test]
fn why_a_run_waits_is_said_of_all_sensors_together() {
    let mut away = assigned("a");
    away.last_seen_at = Some(ago(90));
    let mut shut_out = assigned("b");
    shut_out.state = SensorState::Suspended;
    let mut sealed = assigned("c");
    sealed.can_open = false;
    let many = ["a", "b", "c", "d", "e"].map(assigned).to_vec();
    for (sensors, why) in [
        (vec![away.clone()], "a is not connected"),
        (vec![shut_out.clone()], "b is shut out"),
        (vec![away, assigned("z")], "a, z are at work on other runs"),
        (vec![sealed], "c is unable to open its credential"),
        (many, "a, b, c and 2 more are at work on other runs"),
    ] {
        let pulse = RegistryPulse {
            waiting: waiting(1_000),
            sensors,
            ..pulse()
        };
        let concerns = judge_registry(&pulse, now()).1;
        let late = concerns
            .iter()
            .find(|concern| concern.finding.code == Code::ScheduleOverdue);
        let expected = format!("a run waits for a sensor since 2027-01-15T07:43:20Z: {why}");
        assert_eq!(late.unwrap().finding.seen, expected);
    }
}

#[test]
fn what_none_of_its_sensors_can_open_is_told_before_a_run_waits() {
    let mut one = assigned("a");
    one.can_open = false;
    let blind = vec![(Rank::Blind, Code::CredentialAwaitsSealing)];
    let alone = RegistryPulse {
        sensors: vec![one.clone()],
        ..pulse()
    };
    assert_eq!(judged(&alone), (State::Well, blind));
    let other = RegistryPulse {
        sensors: vec![one, assigned("b")],
        ..pulse()
    };
    assert_eq!(judged(&other), (State::Well, vec![]));
}

fn in_state(state: SensorState) -> AssignedSensor {
    AssignedSensor {
        state,
        ..assigned("a")
    }
}

pub(super) fn revoked() -> AssignedSensor {
    in_state(SensorState::Revoked)
}

#[test]
fn that_nobody_is_left_to_read_it_is_told_and_that_somebody_is_shut_out_is_not() {
    let none = "it has no sensor: nothing reads it";
    for (sensors, told) in [
        (vec![], Some(none)),
        (vec![revoked()], Some("a is revoked: nothing reads it")),
        (
            vec![revoked(), revoked()],
            Some("a, a are revoked: nothing reads it"),
        ),
        (vec![revoked(), assigned("b")], None),
        (vec![in_state(SensorState::Provisional)], None),
        (vec![in_state(SensorState::Suspended)], None),
        (vec![revoked(), in_state(SensorState::Quarantined)], None),
    ] {
        // Whatever else would be told: a run waits, and was to be overdue.
        let pulse = RegistryPulse {
            sensors: sensors.clone(),
            waiting: waiting(100),
            ..pulse()
        };
        let (freshness, concerns) = judge_registry(&pulse, now());
        let seen: Vec<_> = concerns
            .iter()
            .map(|concern| (concern.rank, concern.finding.code, concern.finding.seen.as_str()))
            .collect();
        let expected = told.map(|told| (Rank::Blind, Code::RegistryNoSensor, told));
        assert_eq!(seen, Vec::from_iter(expected), "{sensors:?}");
        let state = if told.is_some() {
            State::NoSensor
        } else {
            State::Well
        };
        assert_eq!(freshness.state, state, "{sensors:?}");
        if let Some(concern) = concerns.first() {
            assert_eq!(concern.command, "portolan registry set gl --sensor SENSOR");
            assert!(concern.cure.contains(&concern.command), "{}", concern.cure);
        }
    }
    let waits = RegistryPulse {
        sensors: vec![],
        waiting: waiting(9_000),
        ..pulse()
    };
    assert_eq!(
        judged(&waits),
        (State::NoSensor, vec![(Rank::Blind, Code::RegistryNoSensor)]),
        "why it waits is told once"
    );
}

#[test]
fn what_was_seen_before_a_change_is_no_success_of_what_is_wanted_now() {
    let changed = |pulse: RegistryPulse| RegistryPulse {
        changed: true,
        ..pulse
    };
    let by_hand = || RegistryPulse {
        schedule: scheduled("manual"),
        ..pulse()
    };
    let is = |rank| vec![(rank, Code::RegistryChanged)];
    for (what, pulse, concerns) in [
        ("its next start will see", changed(pulse()), is(Rank::Advice)),
        ("nothing will", changed(by_hand()), is(Rank::Partial)),
        (
            "somebody has asked",
            RegistryPulse {
                queued: true,
                ..changed(by_hand())
            },
            is(Rank::Advice),
        ),
        (
            "its first run began before the change",
            changed(RegistryPulse {
                last_success_at: None,
                ..by_hand()
            }),
            is(Rank::Partial),
        ),
        (
            "the run after it did not see everything",
            changed(RegistryPulse {
                last_whole: Some(ended(RunState::Partial, 9)),
                ..by_hand()
            }),
            vec![
                (Rank::Partial, Code::RegistryChanged),
                (Rank::Partial, Code::RegistryIncomplete),
            ],
        ),
    ] {
        assert_eq!(judged(&pulse), (State::Changed, concerns), "{what}");
        assert_eq!(judge_registry(&pulse, now()).0.age_seconds, None, "{what}");
    }
    let (told, concerns) = judge_registry(&changed(by_hand()), now());
    assert_eq!(told.words, "changed since it was last read, read by hand only");
    assert_eq!(concerns[0].command, "portolan sync gl");
    assert_eq!(
        told.last_success_at,
        pulse().last_success_at,
        "it was one, of something else"
    );
}

#[test]
fn that_it_is_paused_is_told_and_matters_once_it_is_older_than_its_schedule_lets_it_become() {
    let day = 86_400;
    for (when, age, rank) in [
        ("daily 03:30", day - 60, Rank::Advice),
        ("daily 03:30", day + 120, Rank::Risk),
        ("weekly mon 03:30", 6 * day, Rank::Advice),
        ("weekly mon 03:30", 60 * day, Rank::Risk),
        ("every 2h", 7_000, Rank::Advice),
        ("every 2h", 9_000, Rank::Risk),
        // Over a weekend.
        ("0 3 * * mon-fri", 2 * day, Rank::Advice),
        ("0 3 * * mon-fri", 4 * day, Rank::Risk),
        ("0 8-18 * * mon-fri", 60 * 3_600, Rank::Advice),
        ("0 8-18 * * mon-fri", 63 * 3_600, Rank::Risk),
        ("manual", 6 * day, Rank::Advice),
        ("manual", 60 * day, Rank::Risk),
    ] {
        let pulse = RegistryPulse {
            schedule: portolan_store::Schedule {
                paused: true,
                ..scheduled(when)
            },
            paused_at: Some(ago(600)),
            last_success_at: Some(ago(age)),
            next_start_at: None,
            ..pulse()
        };
        assert_eq!(
            judged(&pulse),
            (State::Paused, vec![(rank, Code::RegistryPaused)]),
            "{when} {age}"
        );
        let concern = judge_registry(&pulse, now()).1.remove(0);
        assert!(
            concern.finding.seen.starts_with(
                "its schedule is paused since 2027-01-15T07:50:00Z; everything was last seen at "
            ),
            "{}",
            concern.finding.seen
        );
        assert_eq!(concern.command, "portolan registry resume gl");
    }
    let never = RegistryPulse {
        schedule: paused(),
        ..new()
    };
    let told = vec![(Rank::Partial, Code::RegistryNeverComplete)];
    assert_eq!(judged(&never), (State::NeverRead, told), "that says more");
}
