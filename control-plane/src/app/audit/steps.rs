//! Sensors' own logs that have gone on. That is the rule, with nearly every heartbeat; it is written for all of them at once.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use portolan_shared::model::SensorId;
use portolan_store::SensorLogStep;

/// Sensors that wait at once: a step of a further one is written by itself.
const WAITING: usize = 65_536;

/// What is known of sensors' logs beyond what is written.
#[derive(Debug, Default)]
pub(super) struct SensorLogSteps(Mutex<HashMap<SensorId, SensorLogStep>>);

/// What became of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// It waits.
    Waits,
    /// There is another one than it was judged by.
    Overtaken,
    /// There is no room.
    Full,
}

impl SensorLogSteps {
    fn waiting(&self) -> MutexGuard<'_, HashMap<SensorId, SensorLogStep>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The step of a sensor that waits.
    pub(super) fn of(&self, sensor: SensorId) -> Option<SensorLogStep> {
        self.waiting().get(&sensor).copied()
    }

    /// Lets a step wait in the place of `before`, by which it was judged.
    pub(super) fn put(&self, before: Option<SensorLogStep>, step: SensorLogStep) -> Taken {
        let mut waiting = self.waiting();
        if waiting.get(&step.sensor).copied() != before {
            return Taken::Overtaken;
        }
        if waiting.len() >= WAITING && before.is_none() {
            return Taken::Full;
        }
        waiting.insert(step.sensor, step);
        Taken::Waits
    }

    /// Every step that waits.
    pub(super) fn all(&self) -> Vec<SensorLogStep> {
        self.waiting().values().copied().collect()
    }

    /// Notes that these were written. One that has gone on meanwhile begins where that ended.
    pub(super) fn written(&self, steps: &[SensorLogStep]) {
        let mut waiting = self.waiting();
        for step in steps {
            match waiting.get_mut(&step.sensor) {
                Some(held) if held == step => drop(waiting.remove(&step.sensor)),
                Some(held) if held.from == step.from => held.from = Some(step.to),
                Some(_) | None => {}
            }
        }
        if waiting.is_empty() {
            waiting.shrink_to(1_024);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use portolan_shared::audit::{AuditHash, AuditHead};
    use portolan_shared::model::TenantId;
    use portolan_shared::process::SeededRng;

    fn head(seq: u64) -> AuditHead {
        AuditHead {
            seq,
            hash: AuditHash([7; 32]),
        }
    }

    fn step(sensor: SensorId, from: Option<u64>, to: u64) -> SensorLogStep {
        SensorLogStep {
            tenant: TenantId::random(&SeededRng::new(1)),
            sensor,
            from: from.map(head),
            to: head(to),
            at: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_step_that_goes_on_while_it_is_written_begins_where_that_ended() {
        let steps = SensorLogSteps::default();
        let sensor = SensorId::random(&SeededRng::new(2));
        let (first, longer) = (step(sensor, Some(1), 2), step(sensor, Some(1), 5));
        assert_eq!(steps.put(None, first), Taken::Waits);
        let writing = steps.all();
        assert_eq!(
            steps.put(None, longer),
            Taken::Overtaken,
            "judged by an older one"
        );
        assert_eq!(steps.put(Some(first), longer), Taken::Waits);
        steps.written(&writing);
        assert_eq!(steps.of(sensor), Some(step(sensor, Some(2), 5)));
        steps.written(&steps.all());
        assert_eq!(steps.of(sensor), None);
    }

    #[test]
    fn steps_stop_at_their_bound() {
        let (steps, rng) = (SensorLogSteps::default(), SeededRng::new(3));
        let first = step(SensorId::random(&rng), None, 1);
        assert_eq!(steps.put(None, first), Taken::Waits);
        for _ in 1..WAITING {
            assert_eq!(
                steps.put(None, step(SensorId::random(&rng), None, 1)),
                Taken::Waits
            );
        }
        let further = step(SensorId::random(&rng), None, 1);
        assert_eq!(steps.put(None, further), Taken::Full);
        assert_eq!(
            steps.put(Some(first), step(first.sensor, None, 2)),
            Taken::Waits,
            "whoever waits may go on"
        );
    }
}
