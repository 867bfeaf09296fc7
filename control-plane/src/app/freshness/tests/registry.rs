//! Registries.

use portolan_shared::model::{CredentialFacts, CredentialKind, FindingCode as Code, RunState};
use portolan_store::{KnownFacts, Observed, RegistryPulse, Schedule};

use super::scene::{ago, ended, new, now, pulse, run_id, waiting};
use crate::app::freshness::registry::judge_registry;
use crate::app::freshness::{FreshnessState as State, Rank};

pub(super) fn judged(pulse: &RegistryPulse) -> (State, Vec<(Rank, Code)>) {
    let (freshness, concerns) = judge_registry(pulse, now());
    let concerns = concerns
        .iter()
        .map(|concern| (concern.rank, concern.finding.code));
    (freshness.state, concerns.collect())
}

pub(super) fn scheduled(text: &str) -> Schedule {
    Schedule {
        when: text.parse().unwrap(),
        ..Schedule::default()
    }
}

pub(super) fn paused() -> Schedule {
    Schedule {
        paused: true,
        ..scheduled("daily")
    }
}

#[test]
fn each_state_has_its_reason() {
    let of_manual = RegistryPulse {
        schedule: scheduled("manual"),
        ..new()
    };
    let never = vec![(Rank::Partial, Code::RegistryNeverComplete)];
    let overdue = vec![(Rank::Blind, Code::ScheduleOverdue)];
    let unreachable = |rank| vec![(rank, Code::Unreachable)];
    let whole = |state, seconds| Some(ended(state, seconds));
    for (what, pulse, state, concerns) in [
        ("seen an hour ago", pulse(), State::Well, vec![]),
        (
            "seen long ago, by hand",
            RegistryPulse {
                last_success_at: Some(ago(8_640_000)),
                schedule: scheduled("manual"),
                ..pulse()
            },
            State::Well,
            vec![],
        ),
        (
            "paused",
            RegistryPulse {
                schedule: paused(),
                ..pulse()
            },
            State::Paused,
            vec![(Rank::Advice, Code::RegistryPaused)],
        ),
        ("added, and its start is to come", new(), State::NeverRead, vec![]),
        (
            "added, to be read by hand",
            of_manual.clone(),
            State::NeverRead,
            never.clone(),
        ),
        (
            "the same, a person has asked",
            RegistryPulse {
                queued: true,
                ..of_manual
            },
            State::NeverRead,
            vec![],
        ),
        (
            "added, paused",
            RegistryPulse {
                schedule: paused(),
                ..new()
            },
            State::NeverRead,
            never.clone(),
        ),
        (
            "its first run is under way",
            RegistryPulse {
                last_attempt_at: Some(ago(60)),
                being_read: true,
                ..new()
            },
            State::NeverRead,
            vec![],
        ),
        (
            "its first run was not whole",
            RegistryPulse {
                last_attempt_at: Some(ago(60)),
                last_whole: whole(RunState::Partial, 9),
                ..new()
            },
            State::NeverComplete,
            never.clone(),
        ),
        (
            "its runs are forgotten",
            RegistryPulse {
                last_attempt_at: Some(ago(60)),
                ..new()
            },
            State::NeverComplete,
            never,
        ),
        (
            "its first run failed",
            RegistryPulse {
                last_attempt_at: Some(ago(60)),
                last_whole: whole(RunState::Failed, 9),
                ..new()
            },
            State::Failing,
            unreachable(Rank::Blind),
        ),
        (
            "its last run failed",
            RegistryPulse {
                last_whole: whole(RunState::Failed, 9),
                ..pulse()
            },
            State::Failing,
            unreachable(Rank::Blind),
        ),
        (
            "the same, paused",
            RegistryPulse {
                last_whole: whole(RunState::Failed, 9),
                schedule: paused(),
                ..pulse()
            },
            State::Failing,
            vec![
                (Rank::Blind, Code::Unreachable),
                (Rank::Advice, Code::RegistryPaused),
            ],
        ),
        (
            "its last run was not whole",
            RegistryPulse {
                last_whole: whole(RunState::Partial, 9),
                ..pulse()
            },
            State::Incomplete,
            vec![(Rank::Partial, Code::RegistryIncomplete)],
        ),
        (
            "a look at a part of it failed since",
            RegistryPulse {
                last_run: whole(RunState::Failed, 9),
                ..pulse()
            },
            State::Incomplete,
            unreachable(Rank::Partial),
        ),
        (
            "a look at a part of it failed before",
            RegistryPulse {
                last_run: whole(RunState::Failed, 4_000),
                ..pulse()
            },
            State::Well,
            vec![],
        ),
        (
            "a run waits for a quarter of an hour",
            RegistryPulse {
                waiting: waiting(900),
                ..pulse()
            },
            State::Well,
            vec![],
        ),
        (
            "a second longer",
            RegistryPulse {
                waiting: waiting(901),
                ..pulse()
            },
            State::Overdue,
            overdue.clone(),
        ),
        (
            "a person's run",
            RegistryPulse {
                queued: true,
                ..pulse()
            },
            State::Well,
            vec![],
        ),
        (
            "it waits behind another one",
            RegistryPulse {
                waiting: waiting(901),
                being_read: true,
                ..pulse()
            },
            State::Well,
            vec![],
        ),
        (
            "it waits for tomorrow's requests",
            RegistryPulse {
                waiting: waiting(-901),
                ..pulse()
            },
            State::Well,
            vec![],
        ),
        (
            "nothing starts runs",
            RegistryPulse {
                next_start_at: Some(ago(901)),
                ..pulse()
            },
            State::Overdue,
            overdue,
        ),
        (
            "not yet",
            RegistryPulse {
                next_start_at: Some(ago(900)),
                ..pulse()
            },
            State::Well,
            vec![],
        ),
        (
            "nothing is to start any",
            RegistryPulse {
                next_start_at: Some(ago(901)),
                schedule: paused(),
                ..pulse()
            },
            State::Paused,
            vec![(Rank::Advice, Code::RegistryPaused)],
        ),
    ] {
        assert_eq!(judged(&pulse), (state, concerns), "{what}");
    }
}

#[test]
fn ages_are_by_this_clock_and_never_negative() {
    for (seconds, age) in [(3_600, Some(3_600)), (0, Some(0)), (-50, Some(0))] {
        let pulse = RegistryPulse {
            last_success_at: Some(ago(seconds)),
            ..pulse()
        };
        assert_eq!(judge_registry(&pulse, now()).0.age_seconds, age);
    }
    assert_eq!(judge_registry(&new(), now()).0.age_seconds, None);
    // Set back by a day: nothing is overdue for that.
    let waits = RegistryPulse {
        waiting: waiting(-86_400),
        ..pulse()
    };
    assert_eq!(judged(&waits).0, State::Well);
}

#[test]
fn the_next_start_is_told_if_there_is_one() {
    assert_eq!(judge_registry(&pulse(), now()).0.next_start_at, Some(ago(-3_600)));
    let held = RegistryPulse {
        schedule: paused(),
        ..pulse()
    };
    assert_eq!(judge_registry(&held, now()).0.next_start_at, None);
}

#[test]
fn states_are_said_in_words() {
    let read = RegistryPulse {
        being_read: true,
        ..new()
    };
    let by_hand = RegistryPulse {
        schedule: scheduled("manual"),
        ..pulse()
    };
    let held = RegistryPulse {
        schedule: paused(),
        last_whole: Some(ended(RunState::Failed, 9)),
        ..pulse()
    };
    for (pulse, words) in [
        (pulse(), "the last run saw everything"),
        (read, "not read yet, it is being read now"),
        (by_hand, "the last run saw everything, read by hand only"),
        (held, "the last run failed, its schedule is paused"),
    ] {
        assert_eq!(judge_registry(&pulse, now()).0.words, words);
    }
}

#[test]
fn what_matters_most_is_said_first() {
    let credential = CredentialFacts {
        expires_at: Some(ago(-86_400)),
        ..CredentialFacts::of_kind(CredentialKind::DeployToken)
    };
    let pulse = RegistryPulse {
        facts: KnownFacts {
            credential: Some(Observed {
                fact: credential,
                at: ago(9),
            }),
            ..KnownFacts::default()
        },
        last_whole: Some(ended(RunState::Failed, 9)),
        waiting: waiting(901),
        last_event_at: Some(ago(9)),
        ..pulse()
    };
    let (state, concerns) = judged(&pulse);
    assert_eq!(state, State::Overdue);
    assert_eq!(
        concerns,
        [
            (Rank::Blind, Code::ScheduleOverdue),
            (Rank::Blind, Code::Unreachable),
            (Rank::Risk, Code::CredentialExpiresSoon),
            (Rank::Advice, Code::EventsUnused),
        ]
    );
    let commands: Vec<_> = judge_registry(&pulse, now())
        .1
        .into_iter()
        .map(|concern| concern.command)
        .collect();
    assert_eq!(commands[1], format!("portolan run show {}", run_id()));
}
