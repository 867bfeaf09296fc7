//! One registry.

use jiff::{SignedDuration, Timestamp};
use portolan_shared::model::{FindingCode, RunState, RunTrigger, SensorState};
use portolan_store::{EndedRun, RegistryPulse, WaitingRun, When};

use super::concern::{Concern, Rank};
use super::sensor::is_heard;
use super::state::{Freshness, FreshnessState, age};
use crate::app::outlook;
use crate::app::schedule::OVERDUE_AFTER;

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
        age_seconds: pulse.last_success_at.map(|at| age(at, now)),
        next_start_at: next_start(pulse),
    };
    let mut concerns: Vec<Concern> = [
        unsealed(pulse),
        late(pulse, now),
        failing(pulse),
        short(pulse, state),
    ]
    .into_iter()
    .flatten()
    .collect();
    let ends = outlook(&pulse.facts, now).into_iter().map(|finding| Concern {
        rank: Rank::of_outlook(finding.code),
        finding,
        command: format!("portolan registry show {}", pulse.name),
    });
    concerns.extend(ends);
    concerns.extend(events(pulse, now));
    concerns.sort_by_key(|concern| concern.rank);
    (freshness, concerns)
}

fn state(pulse: &RegistryPulse, now: Timestamp) -> FreshnessState {
    use FreshnessState as State;
    let last = pulse.last_whole.as_ref().map(|run| run.state);
    if late(pulse, now).is_some() {
        State::Overdue
    } else if last == Some(RunState::Failed) {
        State::Failing
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
        State::Overdue => "a run should have begun, and has not",
        State::Vanished => "gone",
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

fn next_start(pulse: &RegistryPulse) -> Option<Timestamp> {
    pulse.next_start_at.filter(|_| pulse.schedule.has_starts())
}

/// Whether `time` was so long ago that what should have begun then is overdue.
fn is_overdue(time: Timestamp, now: Timestamp) -> bool {
    now.duration_since(time) > OVERDUE_AFTER
}

/// A run that nobody takes, or that nothing has started. A person who waits for a run of his own sees that it waits.
fn late(pulse: &RegistryPulse, now: Timestamp) -> Option<Concern> {
    if pulse.being_read {
        return None;
    }
    let show = || format!("portolan registry show {}", pulse.name);
    let concern = |seen: &str, command| {
        let code = FindingCode::ScheduleOverdue;
        Some(Concern::new(Rank::Blind, code, seen, command))
    };
    if let Some(run) = waits(pulse).filter(|run| is_overdue(run.since, now)) {
        let seen = format!(
            "a run waits for a sensor since {:.0}: {}",
            run.since,
            why(pulse, now)
        );
        return concern(&seen, show());
    }
    let start = next_start(pulse).filter(|start| is_overdue(*start, now))?;
    let seen = format!("the run that was to start at {start:.0} was not started");
    concern(&seen, show())
}

fn waits(pulse: &RegistryPulse) -> Option<&WaitingRun> {
    let waiting = pulse.waiting.as_ref();
    waiting.filter(|run| run.trigger != RunTrigger::Manual)
}

/// Why none of a registry's sensors has taken a run.
fn why(pulse: &RegistryPulse, now: Timestamp) -> String {
    let usable = |state| matches!(state, SensorState::Active | SensorState::Provisional);
    let connected = pulse
        .sensors
        .iter()
        .any(|sensor| is_heard(sensor.last_seen_at, now));
    if pulse.sensors.is_empty() {
        "it has none".to_owned()
    } else if !pulse.sensors.iter().any(|sensor| usable(sensor.state)) {
        format!("{} shut out", are(pulse))
    } else if !connected {
        format!("{} not connected", are(pulse))
    } else if !pulse.sensors.iter().any(|sensor| sensor.can_open) {
        format!("{} unable to open its credential", are(pulse))
    } else {
        format!("{} at work on other runs", are(pulse))
    }
}

/// The sensors of a registry, at most three by name.
fn are(pulse: &RegistryPulse) -> String {
    let names: Vec<_> = pulse
        .sensors
        .iter()
        .take(3)
        .map(|sensor| sensor.name.as_str())
        .collect();
    match (names.as_slice(), pulse.sensors.len()) {
        ([one], 1) => format!("{one} is"),
        (names, count) if count > names.len() => {
            format!("{} and {} more are", names.join(", "), count - names.len())
        }
        (names, _) => format!("{} are", names.join(", ")),
    }
}

/// None of its sensors can open what it is read with.
fn unsealed(pulse: &RegistryPulse) -> Option<Concern> {
    if pulse.sensors.is_empty() || pulse.sensors.iter().any(|sensor| sensor.can_open) {
        return None;
    }
    let seen = format!("{} unable to open the credential", are(pulse));
    Some(Concern::new(
        Rank::Blind,
        FindingCode::CredentialAwaitsSealing,
        &seen,
        format!("portolan credential show {}", pulse.name),
    ))
}

/// The last run of the whole registry has seen nothing.
fn failing(pulse: &RegistryPulse) -> Option<Concern> {
    let run = pulse.last_whole.as_ref()?;
    (run.state == RunState::Failed).then(|| failed(run, Rank::Blind))
}

fn failed(run: &EndedRun, rank: Rank) -> Concern {
    let command = format!("portolan run show {}", run.run);
    match &run.finding {
        Some(finding) => Concern {
            rank,
            finding: finding.clone(),
            command,
        },
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
        (None, None) if pulse.being_read || pulse.waiting.is_some() || pulse.schedule.has_starts() => None,
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
