//! One sensor.

use jiff::{SignedDuration, Timestamp};
use portolan_shared::model::{FindingCode, SensorState, limits};
use portolan_store::{HeldRun, SensorRecord};

use super::concern::{Concern, Rank};
use super::state::{SensorFreshness, SensorProgress};
use crate::app::SENSOR_ONLINE_SECONDS;

/// For how long nothing of a run has to have moved before it counts as one that does not get on: longer than a registry may have it wait, and what was
/// to be done then may take as long again.
const STANDS_STILL: SignedDuration = SignedDuration::from_secs(2 * limits::RETRY_AFTER_SECONDS.cast_signed());
/// For how long a sensor may be away before that is more than advice, unless a run waits for it: its machine may begin anew.
const AWAY_FOR: SignedDuration = SignedDuration::from_mins(10);
/// Registries that are named: further ones are counted.
const NAMED: usize = 3;

/// Registries that a sensor is to read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct SensorDuties {
    /// How many.
    pub(super) registries: usize,
    /// Of these, how many have no other sensor that is connected.
    pub(super) alone: usize,
    /// Whether a run of one of those waits.
    pub(super) awaited: bool,
    /// The names of the first of those.
    pub(super) names: Vec<String>,
}

impl SensorDuties {
    /// Adds a registry, of which a run waits or not.
    pub(super) fn add(&mut self, registry: &str, alone: bool, waits: bool) {
        self.registries += 1;
        if alone {
            self.alone += 1;
            self.awaited |= waits;
            if self.names.len() < NAMED {
                self.names.push(registry.to_owned());
            }
        }
    }
}

/// Whether a sensor that was last heard of at this time counts as connected, if it may be.
pub(super) fn is_heard(last_seen_at: Option<Timestamp>, now: Timestamp) -> bool {
    last_seen_at.is_some_and(|seen| now.as_second().saturating_sub(seen.as_second()) < SENSOR_ONLINE_SECONDS)
}

/// How a sensor is at `now`. `held` may have runs of other sensors, too.
#[must_use]
pub fn judge_sensor(record: &SensorRecord, held: &[HeldRun], now: Timestamp) -> SensorFreshness {
    use SensorProgress as State;
    let still = standing_still(record, held, now);
    let works = held.iter().any(|run| run.sensor == record.id);
    let state = match record.state {
        SensorState::Revoked => State::Revoked,
        SensorState::Suspended => State::Suspended,
        SensorState::Quarantined => State::Quarantined,
        SensorState::Provisional | SensorState::Active => {
            match (record.last_seen_at, is_heard(record.last_seen_at, now)) {
                (None, _) => State::NotYetConnected,
                (Some(_), false) => State::Away,
                (Some(_), true) if still.is_some() => State::NotProgressing,
                (Some(_), true) if works => State::Working,
                (Some(_), true) => State::Connected,
            }
        }
    };
    let words = match state {
        State::Connected => "connected".to_owned(),
        State::Working => "connected and at work".to_owned(),
        State::NotProgressing => "connected, and its work does not get on".to_owned(),
        State::Away => "away".to_owned(),
        State::NotYetConnected => "has not connected yet".to_owned(),
        State::Suspended => "suspended by a person".to_owned(),
        State::Quarantined => "shut out until a person decides".to_owned(),
        State::Revoked => "revoked".to_owned(),
    };
    let since = match state {
        State::Away => record.last_seen_at,
        State::NotProgressing => still.and_then(|run| run.progress_at),
        State::NotYetConnected => Some(record.enrolled_at),
        State::Revoked => record.revoked_at,
        _ => None,
    };
    let stuck = still.filter(|_| state == State::NotProgressing);
    SensorFreshness {
        state,
        words,
        since,
        stuck: stuck.map(|run| (run.attempt.run, run.registry_name.clone())),
    }
}

/// The run of a sensor that has stood still for longest, although its lease is prolonged: it is alive, and gets nowhere.
fn standing_still<'h>(record: &SensorRecord, held: &'h [HeldRun], now: Timestamp) -> Option<&'h HeldRun> {
    let own = held.iter().filter(|run| run.sensor == record.id);
    own.filter(|run| run.lease_until > now)
        .filter(|run| {
            run.progress_at
                .is_some_and(|at| now.duration_since(at) >= STANDS_STILL)
        })
        .min_by_key(|run| run.progress_at)
}

/// What is to be said of a sensor, the most important first. Of one that has nothing to read, only what is about its identity.
#[must_use]
pub(super) fn sensor_concerns(
    record: &SensorRecord,
    duties: &SensorDuties,
    held: &[HeldRun],
    now: Timestamp,
) -> Vec<Concern> {
    use SensorProgress as State;
    let judged = judge_sensor(record, held, now);
    let state = judged.state;
    let show = format!("portolan sensor show {}", record.name);
    let rank = if duties.alone > 0 { Rank::Blind } else { Rank::Risk };
    let mut concerns = Vec::new();
    let mut say = |rank, code, seen: String, command: &str| {
        concerns.push(Concern::new(rank, code, &seen, command.to_owned()));
    };
    let away = |since| match duties.awaited || now.duration_since(since) >= AWAY_FOR {
        true => rank,
        false => Rank::Advice,
    };
    match state {
        State::Quarantined => {
            let seen = format!("its identity was seen twice{}", nobody_else(duties));
            say(rank, FindingCode::SensorQuarantined, seen, &show);
        }
        State::Suspended if duties.registries > 0 => {
            let seen = format!("a person has suspended it{}", nobody_else(duties));
            let resume = format!("portolan sensor resume {}", record.name);
            say(rank, FindingCode::SensorSuspended, seen, &resume);
        }
        State::Away if duties.registries > 0 => {
            let last = record.last_seen_at.unwrap_or(record.enrolled_at);
            let seen = format!("last heard of at {last:.0}{}", nobody_else(duties));
            say(away(last), FindingCode::SensorAway, seen, &show);
        }
        State::NotYetConnected if duties.registries > 0 && !is_heard(Some(record.enrolled_at), now) => {
            let seen = format!(
                "enrolled at {:.0}, and not heard of since{}",
                record.enrolled_at,
                nobody_else(duties)
            );
            say(away(record.enrolled_at), FindingCode::SensorAway, seen, &show);
        }
        State::NotProgressing => {
            if let Some(run) = standing_still(record, held, now) {
                let since = run.progress_at.unwrap_or(now);
                let seen = format!(
                    "nothing has moved since {since:.0} in its run of {}",
                    run.registry_name
                );
                let command = format!("portolan run show {}", run.attempt.run);
                say(Rank::Partial, FindingCode::SensorNotProgressing, seen, &command);
            }
        }
        _ => {}
    }
    if record.contested && state != State::Revoked {
        let seen = "somebody else has shown the secret of its enrolment token".to_owned();
        say(Rank::Risk, FindingCode::SensorContested, seen, &show);
    }
    let named = concerns.into_iter().map(|concern| {
        let concern = concern.of_sensor(&record.name);
        match &judged.stuck {
            Some((run, registry)) => concern.of_run(Some(*run)).of_registry(registry),
            None => concern,
        }
    });
    named.collect()
}

/// Which registries nobody reads while this sensor does not.
fn nobody_else(duties: &SensorDuties) -> String {
    let names = duties.names.join(", ");
    match (duties.alone, duties.alone.saturating_sub(duties.names.len())) {
        (0, _) => String::new(),
        (_, 0) => format!("; nobody else reads {names}"),
        (_, more) => format!("; nobody else reads {names} and {more} more"),
    }
}
