//! One repository.

use jiff::Timestamp;
use portolan_shared::model::RepositoryOutcome as Outcome;
use portolan_store::{RegistryPulse, RepositoryRecord};

use super::registry;
use super::state::{Freshness, FreshnessState, age};

/// How fresh a repository of this registry is at `now`. What is to be said of it stands in the coverage of runs. What keeps the registry from being read
/// keeps it from being looked at, too; none if the registry was removed just now.
#[must_use]
pub(super) fn judge_repository(
    record: &RepositoryRecord,
    pulse: Option<&RegistryPulse>,
    now: Timestamp,
) -> Freshness {
    use FreshnessState as State;
    let own = own_state(record, pulse);
    let (state, words) = match pulse.map(|pulse| registry::state(pulse, now)) {
        Some(of_registry) if own == State::Well => match hindered(of_registry) {
            Some(but) => (of_registry, format!("{}, but {but}", words(own, record))),
            None => (own, words(own, record)),
        },
        _ => (own, words(own, record)),
    };
    let is_looked_at = !matches!(own, State::Vanished | State::LeftOut);
    Freshness {
        state,
        words,
        last_attempt_at: Some(record.last_attempt_at),
        last_success_at: record.last_success_at,
        last_event_at: record.last_event_at,
        age_seconds: record.last_success_at.map(|at| age(at, now)),
        next_start_at: record.next_start_at.filter(|_| is_looked_at),
    }
}

fn own_state(record: &RepositoryRecord, pulse: Option<&RegistryPulse>) -> FreshnessState {
    use FreshnessState as State;
    if record.vanished_at.is_some() {
        return State::Vanished;
    }
    if pulse.is_some_and(|pulse| !pulse.repositories.matches(&record.name)) {
        return State::LeftOut;
    }
    match (record.outcome, record.last_success_at) {
        // A look that events have asked for, at what they named.
        (Outcome::Listed | Outcome::Unchanged, None) => State::NeverComplete,
        (Outcome::Listed | Outcome::Unchanged, Some(_)) => State::Well,
        (Outcome::Denied | Outcome::Missing | Outcome::Failed | Outcome::Refused, _) => State::Failing,
        (_, None) => State::NeverComplete,
        (_, Some(_)) => State::Incomplete,
    }
}

fn words(state: FreshnessState, record: &RepositoryRecord) -> String {
    use FreshnessState as State;
    let outcome = record.outcome;
    match (state, outcome) {
        (State::Vanished, _) => "it is gone".to_owned(),
        (State::LeftOut, _) => {
            "the registry's patterns leave it out: what is known of it stays as it was last seen".to_owned()
        }
        (State::Failing, _) => format!("the last look at it saw nothing: {outcome}"),
        (State::NeverComplete, Outcome::Listed | Outcome::Unchanged) => {
            "only single tags of it were looked at, never all of them".to_owned()
        }
        (State::NeverComplete, _) => format!("no look at it has seen everything yet: {outcome}"),
        (State::Incomplete, _) => format!("the last look at it did not see everything: {outcome}"),
        _ => "the last look at it saw everything".to_owned(),
    }
}

/// Why a repository that was well when it was last looked at is not looked at as it should be.
fn hindered(of_registry: FreshnessState) -> Option<&'static str> {
    use FreshnessState as State;
    match of_registry {
        State::NoSensor => Some("no sensor is left to read its registry"),
        State::Overdue => Some("a run of its registry should have begun, and has not"),
        State::Failing => Some("the last run of its registry failed"),
        State::Changed => Some("its registry was changed since"),
        State::Paused => Some("the schedule of its registry is paused"),
        State::Well
        | State::NeverRead
        | State::NeverComplete
        | State::Incomplete
        | State::Vanished
        | State::LeftOut => None,
    }
}
