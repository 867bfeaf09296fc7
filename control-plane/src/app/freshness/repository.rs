//! One repository.

use jiff::Timestamp;
use portolan_shared::model::RepositoryOutcome;
use portolan_store::RepositoryRecord;

use super::state::{Freshness, FreshnessState, age};

/// How fresh a repository is at `now`. What is to be said of it stands in the coverage of runs.
#[must_use]
pub fn judge_repository(record: &RepositoryRecord, now: Timestamp) -> Freshness {
    use FreshnessState as State;
    let state = if record.vanished_at.is_some() {
        State::Vanished
    } else {
        match (record.outcome, record.last_success_at) {
            (RepositoryOutcome::Listed | RepositoryOutcome::Unchanged, _) => State::Well,
            (
                RepositoryOutcome::Denied
                | RepositoryOutcome::Missing
                | RepositoryOutcome::Failed
                | RepositoryOutcome::Refused,
                _,
            ) => State::Failing,
            (_, None) => State::NeverComplete,
            (_, Some(_)) => State::Incomplete,
        }
    };
    let words = match state {
        State::Vanished => "it is gone".to_owned(),
        State::Failing => format!("the last look at it saw nothing: {}", record.outcome),
        State::NeverComplete => format!("no look at it has seen everything yet: {}", record.outcome),
        State::Incomplete => format!("the last look at it did not see everything: {}", record.outcome),
        _ => "the last look at it saw everything".to_owned(),
    };
    Freshness {
        state,
        words,
        last_attempt_at: Some(record.last_attempt_at),
        last_success_at: record.last_success_at,
        last_event_at: record.last_event_at,
        age_seconds: record.last_success_at.map(|at| age(at, now)),
        next_start_at: record.next_start_at.filter(|_| state != State::Vanished),
    }
}
