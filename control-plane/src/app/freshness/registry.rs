//! One registry.

use jiff::{SignedDuration, Timestamp};
use portolan_shared::model::{FindingCode, RunId, RunState};
use portolan_store::{EndedRun, RegistryPulse, When};

use super::concern::{Concern, Rank};
use super::hindrance::{late, no_sensor, paused, unsealed};
use super::state::{Freshness, FreshnessState, age};
use crate::app::outlook;

/// For how long an event counts as one that arrives: its registry's notifications are configured.
const ARRIVES: SignedDuration = SignedDuration::from_hours(7 * 24);

/// How fresh a registry is at `now`, and what is to be said of it, the most important first.
#[must_use]
pub(super) fn judge_registry(pulse: &RegistryPulse, now: Timestamp) -> (Freshness, Vec<Concern>) {
    let state = state(pulse, now);
    let freshness = Freshness {
        state,
        words: words(state, pulse),
        last_attempt_at: pulse.last_attempt_at,
        last_success_at: pulse.last_success_at,
        last_event_at: pulse.last_event_at,
        age_seconds: seen_at(pulse).map(|at| age(at, now)),
        next_start_at: next_start(pulse),
    };
    let mut concerns: Vec<Concern> = [
        no_sensor(pulse),
        unsealed(pulse),
        late(pulse, now),
        failing(pulse),
        changed(pulse),
        short(pulse, state),
        paused(pulse, now),
    ]
    .into_iter()
    .flatten()
    .collect();
    let ends = outlook(&pulse.facts, now).into_iter().map(|finding| {
        let command = format!("portolan registry show {}", pulse.name);
        Concern::of(Rank::of_outlook(finding.code), finding, command)
    });
    concerns.extend(ends);
    concerns.extend(events(pulse, now));
    concerns.sort_by_key(|concern| concern.rank);
    let run = whole(pulse);
    let named = concerns
        .into_iter()
        .map(|concern| concern.of_run(run).of_registry(&pulse.name));
    (freshness, named.collect())
}

/// When all that the registry is to show now was last seen.
pub(super) fn seen_at(pulse: &RegistryPulse) -> Option<Timestamp> {
    pulse.last_success_at.filter(|_| !pulse.changed)
}

/// The last run of all of it.
fn whole(pulse: &RegistryPulse) -> Option<RunId> {
    pulse.last_whole.as_ref().map(|run| run.run)
}

/// Where a registry stands at `now`.
pub(super) fn state(pulse: &RegistryPulse, now: Timestamp) -> FreshnessState {
    use FreshnessState as State;
    let last = pulse.last_whole.as_ref().map(|run| run.state);
    if no_sensor(pulse).is_some() {
        State::NoSensor
    } else if late(pulse, now).is_some() {
        State::Overdue
    } else if last == Some(RunState::Failed) {
        State::Failing
    } else if pulse.changed {
        State::Changed
    } else if pulse.last_success_at.is_none() {
        match pulse.last_attempt_at {
            None => State::NeverRead,
            // The first run is under way.
            Some(_) if last.is_none() && pulse.being_read => State::NeverRead,
            Some(_) => State::NeverComplete,
        }
    } else if last == Some(RunState::Partial) || failed_since(pulse).is_some() {
        State::Incomplete
    } else if pulse.schedule.paused {
        State::Paused
    } else {
        State::Well
    }
}

fn words(state: FreshnessState, pulse: &RegistryPulse) -> String {
    use FreshnessState as State;
    let mut words = match state {
        State::Well | State::Paused => "the last run saw everything",
        State::NeverRead => "not read yet",
        State::NeverComplete => "no run has seen everything yet",
        State::Incomplete => "the last run did not see everything",
        State::Failing => "the last run failed",
        State::Changed => "changed since it was last read",
        State::Overdue => "a run should have begun, and has not",
        State::NoSensor => "no sensor is left to read it",
        // These are states of repositories.
        State::Vanished | State::LeftOut => "gone",
    }
    .to_owned();
    if pulse.being_read {
        words.push_str(", it is being read now");
    }
    if pulse.schedule.paused {
        words.push_str(", its schedule is paused");
    } else if pulse.schedule.when == When::Manual {
        words.push_str(", read by hand only");
    }
    words
}

pub(super) fn next_start(pulse: &RegistryPulse) -> Option<Timestamp> {
    pulse.next_start_at.filter(|_| pulse.schedule.has_starts())
}

/// The last run of the whole registry has seen nothing.
fn failing(pulse: &RegistryPulse) -> Option<Concern> {
    let run = pulse.last_whole.as_ref()?;
    (run.state == RunState::Failed).then(|| failed(run, Rank::Blind))
}

fn failed(run: &EndedRun, rank: Rank) -> Concern {
    let command = format!("portolan run show {}", run.run);
    match &run.finding {
        Some(finding) => Concern::of(rank, finding.clone(), command).of_run(Some(run.run)),
        None => Concern::new(rank, FindingCode::Internal, "the last run failed", command),
    }
}

/// A run of a part of it has failed since it was last looked at as a whole.
fn failed_since(pulse: &RegistryPulse) -> Option<&EndedRun> {
    let run = pulse.last_run.as_ref()?;
    let whole = pulse.last_whole.as_ref();
    let is_later = whole.is_none_or(|whole| whole.ended_at < run.ended_at);
    (run.state == RunState::Failed && is_later).then_some(run)
}

/// It was seen as it was before, if at all.
fn changed(pulse: &RegistryPulse) -> Option<Concern> {
    if !pulse.changed {
        return None;
    }
    let rank = match pulse.being_read || pulse.queued || pulse.schedule.has_starts() {
        true => Rank::Advice,
        false => Rank::Partial,
    };
    let seen = "its address, patterns or tag filter were changed, and no run has seen everything since";
    let command = format!("portolan sync {}", pulse.name);
    Some(Concern::new(rank, FindingCode::RegistryChanged, seen, command))
}

/// Not everything of it is seen.
fn short(pulse: &RegistryPulse, state: FreshnessState) -> Option<Concern> {
    let last = pulse.last_whole.as_ref();
    let concern = |code, seen: &str| {
        let command = match last {
            Some(run) => format!("portolan run show {}", run.run),
            None => format!("portolan sync {}", pulse.name),
        };
        Some(Concern::new(Rank::Partial, code, seen, command))
    };
    let never = FindingCode::RegistryNeverComplete;
    match (pulse.last_success_at, last.map(|run| run.state)) {
        // That it fails says more.
        (_, Some(RunState::Failed)) => None,
        // That it was changed since says more.
        (_, Some(RunState::Complete)) if pulse.changed => None,
        (None, Some(_)) => {
            let seen = format!(
                "no run has seen everything since it was added at {:.0}",
                pulse.created_at
            );
            concern(never, &seen)
        }
        (None, None) if state == FreshnessState::NeverComplete => {
            concern(never, "its runs ended without having seen everything")
        }
        (None, None) if pulse.being_read || pulse.queued || pulse.schedule.has_starts() => None,
        (None, None) => concern(never, "it was not read yet, and nothing starts a run of it"),
        (Some(success), Some(RunState::Partial)) => {
            let seen =
                format!("the last run did not see everything; the last that did ended at {success:.0}");
            concern(FindingCode::RegistryIncomplete, &seen)
        }
        (Some(_), _) => failed_since(pulse).map(|run| failed(run, Rank::Partial)),
    }
}

/// Push events that do not come, or come to no purpose.
fn events(pulse: &RegistryPulse, now: Timestamp) -> Option<Concern> {
    let on_push = pulse.schedule.when == When::OnPush;
    match (on_push, pulse.unannounced_at, pulse.last_event_at) {
        (true, Some(found), event) => {
            let last = match event {
                Some(event) => format!("the last event came at {event:.0}"),
                None => "there was never one".to_owned(),
            };
            Some(Concern::new(
                Rank::Risk,
                FindingCode::EventsStopped,
                &format!(
                    "the run that ended at {found:.0} found changes that no event had announced; {last}"
                ),
                format!("portolan registry show {} --webhook", pulse.name),
            ))
        }
        (false, _, Some(event)) if now.duration_since(event) <= ARRIVES => Some(Concern::new(
            Rank::Advice,
            FindingCode::EventsUnused,
            &format!(
                "events arrive, the last at {event:.0}, but the schedule is {}",
                pulse.schedule.when
            ),
            format!("portolan registry set {} --schedule on-push", pulse.name),
        )),
        _ => None,
    }
}
