//! Repositories.

use portolan_shared::model::{RegistryId, RepositoryOutcome as Outcome};
use portolan_shared::process::SeededRng;
use portolan_store::RepositoryRecord;

use super::scene::{ago, now};
use crate::app::freshness::{FreshnessState as State, judge_repository};

fn repository(outcome: Outcome, success: Option<i64>) -> RepositoryRecord {
    RepositoryRecord {
        registry: RegistryId::random(&SeededRng::new(2)),
        registry_name: "gl".parse().unwrap(),
        name: "acme/shop".parse().unwrap(),
        tags: 1,
        outcome,
        first_seen_at: ago(100),
        last_attempt_at: ago(10),
        last_success_at: success.map(ago),
        last_event_at: Some(ago(11)),
        next_start_at: Some(ago(-60)),
        vanished_at: None,
    }
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
        let judged = judge_repository(&repository(outcome, success), now());
        assert_eq!(judged.state, state, "{outcome} {success:?}");
        assert_eq!(judged.age_seconds, success.map(i64::unsigned_abs));
        assert_eq!(
            (judged.last_event_at, judged.next_start_at),
            (Some(ago(11)), Some(ago(-60)))
        );
    }
}

#[test]
fn what_is_gone_is_not_looked_at_again_and_nothing_is_younger_than_now() {
    let gone = RepositoryRecord {
        vanished_at: Some(ago(5)),
        ..repository(Outcome::Listed, Some(-5))
    };
    let judged = judge_repository(&gone, now());
    assert_eq!(
        (judged.state, judged.next_start_at, judged.age_seconds),
        (State::Vanished, None, Some(0))
    );
    let denied = judge_repository(&repository(Outcome::Denied, None), now());
    assert_eq!(denied.words, "the last look at it saw nothing: denied");
}
