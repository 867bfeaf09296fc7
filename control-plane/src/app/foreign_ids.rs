//! Sensors that name runs of another tenant, or runs that never were. Each is refused like any attempt that is over; here somebody is told.
//!
//! Off the path of the answer, so that its duration does not tell whether such a run exists anywhere.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use portolan_shared::model::SensorId;
use portolan_shared::process::{Shutdown, Uptime};
use portolan_store::{AuditEntry, AuditSeverity, Fence};
use serde_json::json;
use tokio::sync::broadcast::error::RecvError;

use super::{App, Sessions};

/// Time in which one sensor is told of at most once.
const QUIET: Duration = Duration::from_secs(60);
/// Sensors that are remembered for that. Above, nobody else is told of until some are forgotten; the log says so.
const REMEMBERED: usize = 10_000;

impl App {
    /// Writes such sensors into the audit logs of their tenants until everything is cut.
    pub async fn note_foreign_ids(self: Arc<Self>, sessions: Arc<Sessions>, shutdown: Shutdown) {
        let mut named = self.signals.foreign_ids.subscribe();
        let mut told = Told::default();
        loop {
            let fence = tokio::select! {
                () = shutdown.cutting() => return,
                fence = named.recv() => fence,
            };
            let fence = match fence {
                Ok(fence) => fence,
                // Those that follow are most likely of the same sensor.
                Err(RecvError::Lagged(_)) => continue,
                Err(RecvError::Closed) => return,
            };
            // The run was given to it, and then went with its registry.
            let given = sessions
                .of(fence.sensor)
                .is_some_and(|session| session.knows(fence.attempt));
            if given {
                continue;
            }
            if let Some(times) = told.count(fence.sensor, self.clock.uptime()) {
                self.note_foreign_id(&fence, times).await;
            }
        }
    }

    /// `times`: how often it did so since it was last told of.
    async fn note_foreign_id(&self, fence: &Fence, times: u64) {
        tracing::warn!(sensor = %fence.sensor, attempt = %fence.attempt, "the sensor names a run that its tenant does not have");
        let entry = AuditEntry {
            at: self.clock.now(),
            actor: format!("sensor:{}", fence.sensor),
            action: "sensor.foreign_id".to_owned(),
            object: format!("run:{}", fence.attempt.run),
            severity: AuditSeverity::High,
            details: json!({ "attempt": fence.attempt.attempt, "times": times }),
        };
        if let Err(error) = self.store.append_audit(fence.tenant, &entry).await {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "an audit entry was lost"
            );
        }
    }
}

/// When each sensor was last told of, and how often it did so since.
#[derive(Default)]
struct Told(HashMap<SensorId, (Uptime, u64)>);

impl Told {
    /// Counts one more; gives how many there were since the sensor was last told of, if it is to be told of again.
    fn count(&mut self, sensor: SensorId, now: Uptime) -> Option<u64> {
        let quiet = |at: Uptime| now.since(at) < QUIET;
        let since = match self.0.get_mut(&sensor) {
            Some((told, since)) if quiet(*told) => {
                *since += 1;
                return None;
            }
            Some((_, since)) => *since,
            None => 0,
        };
        if self.0.len() >= REMEMBERED {
            self.0.retain(|_, (told, _)| quiet(*told));
            if self.0.len() >= REMEMBERED {
                tracing::warn!(%sensor, "too many sensors name runs that their tenants do not have");
                return None;
            }
        }
        self.0.insert(sensor, (now, 0));
        Some(since + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use portolan_shared::process::SeededRng;

    #[test]
    fn t30_a_sensor_is_told_of_once_a_minute_and_memory_is_bounded() {
        let rng = SeededRng::new(7);
        let at = |seconds| Uptime(Duration::from_secs(seconds));
        let mut told = Told::default();
        let sensor = SensorId::random(&rng);
        assert_eq!(told.count(sensor, at(0)), Some(1));
        assert_eq!(told.count(sensor, at(59)), None);
        assert_eq!(told.count(sensor, at(60)), Some(2), "with the one in between");
        for _ in 1..REMEMBERED {
            assert_eq!(told.count(SensorId::random(&rng), at(60)), Some(1));
        }
        let above = SensorId::random(&rng);
        assert_eq!(told.count(above, at(119)), None);
        assert_eq!(
            told.count(above, at(120)),
            Some(1),
            "the others are forgotten by then"
        );
        assert_eq!(told.0.len(), 1);
    }
}
