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
            if given || !told.is_due(fence.sensor, self.clock.uptime()) {
                continue;
            }
            self.note_foreign_id(&fence).await;
        }
    }

    async fn note_foreign_id(&self, fence: &Fence) {
        tracing::warn!(sensor = %fence.sensor, attempt = %fence.attempt, "the sensor names a run that its tenant does not have");
        let entry = AuditEntry {
            at: self.clock.now(),
            actor: format!("sensor:{}", fence.sensor),
            action: "sensor.foreign_id".to_owned(),
            object: format!("run:{}", fence.attempt.run),
            severity: AuditSeverity::High,
            details: json!({ "attempt": fence.attempt.attempt }),
        };
        if let Err(error) = self.store.append_audit(fence.tenant, &entry).await {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "an audit entry was lost"
            );
        }
    }
}

/// When each sensor was last told of.
#[derive(Default)]
struct Told(HashMap<SensorId, Uptime>);

impl Told {
    fn is_due(&mut self, sensor: SensorId, now: Uptime) -> bool {
        let quiet = |at: &Uptime| now.since(*at) < QUIET;
        if self.0.get(&sensor).is_some_and(quiet) {
            return false;
        }
        if self.0.len() >= REMEMBERED {
            self.0.retain(|_, at| quiet(at));
            if self.0.len() >= REMEMBERED {
                tracing::warn!(%sensor, "too many sensors name runs that their tenants do not have");
                return false;
            }
        }
        self.0.insert(sensor, now);
        true
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
        assert!(told.is_due(sensor, at(0)));
        assert!(!told.is_due(sensor, at(59)));
        assert!(told.is_due(sensor, at(60)));
        for _ in 1..REMEMBERED {
            assert!(told.is_due(SensorId::random(&rng), at(60)));
        }
        let above = SensorId::random(&rng);
        assert!(!told.is_due(above, at(119)));
        assert!(told.is_due(above, at(120)), "the others are forgotten by then");
        assert_eq!(told.0.len(), 1);
    }
}
