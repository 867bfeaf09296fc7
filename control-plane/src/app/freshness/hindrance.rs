//! What keeps a registry from being read.

use jiff::{SignedDuration, Timestamp};
use portolan_shared::model::{FindingCode, SensorState};
use portolan_store::RegistryPulse;

use super::concern::{Concern, Rank};
use super::registry::next_start;
use super::sensor::is_heard;
use crate::app::schedule::{lets_become_older, overdue};

/// How old what is known of a registry may become that is read by hand, before it matters that it is paused besides.
const PAUSED_FOR: SignedDuration = SignedDuration::from_hours(7 * 24);

fn has_sensor(pulse: &RegistryPulse) -> bool {
    pulse
        .sensors
        .iter()
        .any(|sensor| sensor.state != SensorState::Revoked)
}

/// Nobody is left who may read it. Of sensors that are shut out for a while they tell themselves.
pub(super) fn no_sensor(pulse: &RegistryPulse) -> Option<Concern> {
    if has_sensor(pulse) {
        return None;
    }
    let seen = if pulse.sensors.is_empty() {
        "it has no sensor: nothing reads it".to_owned()
    } else {
        format!("{} revoked: nothing reads it", are(pulse))
    };
    let command = format!("portolan registry set {} --sensor SENSOR", pulse.name);
    Some(Concern::new(
        Rank::Blind,
        FindingCode::RegistryNoSensor,
        &seen,
        command,
    ))
}

/// A run that nobody takes, or that nothing has started. A person who waits for a run of his own sees that it waits; that nobody is left to take any is
/// told already.
pub(super) fn late(pulse: &RegistryPulse, now: Timestamp) -> Option<Concern> {
    if pulse.being_read || !has_sensor(pulse) {
        return None;
    }
    let show = || format!("portolan registry show {}", pulse.name);
    let concern = |seen: &str, command| {
        let code = FindingCode::ScheduleOverdue;
        Some(Concern::new(Rank::Blind, code, seen, command))
    };
    let waits = pulse.waiting.as_ref().map(|run| run.since);
    if let Some(since) = waits.filter(|since| overdue(*since, now).is_some()) {
        let seen = format!("a run waits for a sensor since {since:.0}: {}", why(pulse, now));
        return concern(&seen, show());
    }
    let start = next_start(pulse).filter(|start| overdue(*start, now).is_some())?;
    let seen = format!("the run that was to start at {start:.0} was not started");
    concern(&seen, show())
}

/// Why none of a registry's sensors has taken a run.
fn why(pulse: &RegistryPulse, now: Timestamp) -> String {
    let usable = |state| matches!(state, SensorState::Active | SensorState::Provisional);
    let connected = pulse
        .sensors
        .iter()
        .any(|sensor| is_heard(sensor.last_seen_at, now));
    if !pulse.sensors.iter().any(|sensor| usable(sensor.state)) {
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
pub(super) fn unsealed(pulse: &RegistryPulse) -> Option<Concern> {
    if !has_sensor(pulse) || pulse.sensors.iter().any(|sensor| sensor.can_open) {
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

/// Its schedule is paused. It matters once what is known of it is older than the schedule would have let it become; of what was never seen, that says more.
pub(super) fn paused(pulse: &RegistryPulse, now: Timestamp) -> Option<Concern> {
    let seen_at = pulse.last_success_at.filter(|_| pulse.schedule.paused)?;
    let age = now.duration_since(seen_at);
    let as_scheduled = lets_become_older(&pulse.schedule, pulse.registry, now, age);
    let rank = match as_scheduled.unwrap_or(age <= PAUSED_FOR) {
        true => Rank::Advice,
        false => Rank::Risk,
    };
    let since = pulse
        .paused_at
        .map(|at| format!(" since {at:.0}"))
        .unwrap_or_default();
    let seen = format!("its schedule is paused{since}; everything was last seen at {seen_at:.0}");
    let command = format!("portolan registry resume {}", pulse.name);
    Some(Concern::new(rank, FindingCode::RegistryPaused, &seen, command))
}
