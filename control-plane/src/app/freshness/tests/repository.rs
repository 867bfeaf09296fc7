//! Repositories.

use portolan_shared::model::{RegistryId, RepositoryOutcome as Outcome, RepositoryPatterns, RunState};
use portolan_shared::process::SeededRng;
use portolan_store::{RegistryPulse, RepositoryRecord};

use super::registry::paused;
use super::scene::{ago, ended, now, pulse, waiting};
use crate::app::freshness::repository::judge_repository;
use crate::app::freshness::{Freshness, FreshnessState as State};

fn repository(outcome: Outcome, success: Option<i64>) -> RepositoryRecord {
    RepositoryRecord {
        registry: RegistryId::random(&SeededRng::new(2)),
        registry_name: "gl".parse().unwrap(),
        name: "acme/shop".parse().unwrap(),
        tags: 1,
        outcome,
        first_seen_at: ago(100),
        known_from: Some(ago(100)),
        last_attempt_at: ago(10),
        last_success_at: success.map(ago),
        last_event_at: Some(ago(11)),
        next_start_at: Some(ago(-60)),
        vanished_at: None,
    }
}

fn judged(record: &RepositoryRecord) -> Freshness {
    judge_repository(record, Some(&pulse()), now())
}

#[test]
fn the_last_look_decides() {
    for (outcome, success, state) in [
        (Outcome::Listed, Some(10), State::Well),
        (Outcome::Unchanged, Some(10), State::Well),
        (Outcome::Incomplete, Some(50), State::Incomplete),
        (Outcome::Truncated, Some(50), State::Incomplete),
        (Outcome::Incomplete, None, State::NeverComplete),
        (Outcome::Denied, Some(50), State::Failing),
        (Outcome::Missing, None, State::Failing),
        (Outcome::Failed, Some(50), State::Failing),
        (Outcome::Refused, None, State::Failing),
    ] {
        let judged = judged(&repository(outcome, success));
        assert_eq!(judged.state, state, "{outcome} {success:?}");
        assert_eq!(judged.age_seconds, success.map(i64::unsigned_abs));
        assert_eq!(
            (judged.last_event_at, judged.next_start_at),
            (Some(ago(11)), Some(ago(-60)))
        );
    }
}

#[test]
fn a_repository_of_which_single_tags_were_looked_at_was_never_seen_whole() {
    for outcome in [Outcome::Listed, Outcome::Unchanged] {
        let judged = judged(&repository(outcome, None));
        assert_eq!((judged.state, judged.age_seconds), (State::NeverComplete, None));
        assert_eq!(
            judged.words,
            "only single tags of it were looked at, never all of them"
        );
    }
}

#[test]
fn what_is_gone_is_not_looked_at_again_and_nothing_is_younger_than_now() {
    let gone = RepositoryRecord {
        vanished_at: Some(ago(5)),
        ..repository(Outcome::Listed, Some(-5))
    };
    let gone = judged(&gone);
    assert_eq!(
        (gone.state, gone.next_start_at, gone.age_seconds),
        (State::Vanished, None, Some(0))
    );
    let denied = judged(&repository(Outcome::Denied, None));
    assert_eq!(denied.words, "the last look at it saw nothing: denied");
}

#[test]
fn what_the_patterns_leave_out_is_not_well_for_ever() {
    let narrowed = RegistryPulse {
        repositories: RepositoryPatterns::new(vec!["other/*".to_owned()]).unwrap(),
        ..pulse()
    };
    for outcome in [Outcome::Listed, Outcome::Denied] {
        let judged = judge_repository(&repository(outcome, Some(10)), Some(&narrowed), now());
        assert_eq!((judged.state, judged.next_start_at), (State::LeftOut, None));
        assert_eq!(judged.age_seconds, Some(10), "it grows from here");
    }
}

#[test]
fn what_keeps_its_registry_from_being_read_is_said_of_a_repository_too() {
    let well = repository(Outcome::Listed, Some(10));
    for (pulse, state, words) in [
        (pulse(), State::Well, "the last look at it saw everything"),
        (
            RegistryPulse {
                last_whole: Some(ended(RunState::Failed, 5)),
                ..pulse()
            },
            State::Failing,
            "the last look at it saw everything, but the last run of its registry failed",
        ),
        (
            RegistryPulse {
                waiting: waiting(1_000),
                ..pulse()
            },
            State::Overdue,
            "the last look at it saw everything, but a run of its registry should have begun, and has not",
        ),
        (
            RegistryPulse {
                sensors: vec![],
                ..pulse()
            },
            State::NoSensor,
            "the last look at it saw everything, but no sensor is left to read its registry",
        ),
        (
            RegistryPulse {
                changed: true,
                ..pulse()
            },
            State::Changed,
            "the last look at it saw everything, but its registry was changed since",
        ),
        (
            RegistryPulse {
                schedule: paused(),
                ..pulse()
            },
            State::Paused,
            "the last look at it saw everything, but the schedule of its registry is paused",
        ),
        // Something else of it was not seen.
        (
            RegistryPulse {
                last_whole: Some(ended(RunState::Partial, 5)),
                ..pulse()
            },
            State::Well,
            "the last look at it saw everything",
        ),
    ] {
        let judged = judge_repository(&well, Some(&pulse), now());
        assert_eq!((judged.state, judged.words.as_str()), (state, words));
        let denied = judge_repository(&repository(Outcome::Denied, None), Some(&pulse), now());
        assert_eq!(
            denied.words, "the last look at it saw nothing: denied",
            "its own state says more"
        );
    }
    assert_eq!(judge_repository(&well, None, now()).state, State::Well);
}
