//! What the tests begin with.

pub(super) use jiff::Timestamp;
use portolan_shared::model::RegistryId;
pub(super) use portolan_shared::process::SeededRng;
pub(super) use portolan_store::{MissedStart, Schedule};

pub(super) use super::super::starts::Starts;

/// A registry, another for each number.
pub(super) fn registry(number: u64) -> RegistryId {
    RegistryId::random(&SeededRng::new(number))
}

pub(super) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Without jitter, so that starts are the moments that it names.
pub(super) fn exact(when: &str, zone: &str) -> Schedule {
    Schedule {
        when: when.parse().unwrap(),
        zone: zone.parse().unwrap(),
        jitter_seconds: Some(0),
        ..Schedule::default()
    }
}

pub(super) fn closed(schedule: Schedule, windows: &[&str], missed: MissedStart) -> Schedule {
    Schedule {
        blackouts: windows.iter().map(|window| window.parse().unwrap()).collect(),
        missed,
        ..schedule
    }
}

/// The starts after a moment, as the zone's clock shows them.
pub(super) fn shown(schedule: &Schedule, after: &str, count: usize) -> Vec<String> {
    let zone = schedule.zone.zone().clone();
    Starts::of(schedule, registry(1))
        .after(at(after))
        .take(count)
        .map(|start| {
            start
                .to_zoned(zone.clone())
                .strftime("%m-%d %H:%M %:z")
                .to_string()
        })
        .collect()
}
