//! Sensors that were enrolled and never opened a session: first somebody is told, then they are removed. And those that were deleted: in the
//! end they are forgotten.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use portolan_shared::process::Shutdown;
use portolan_store::{AuditEntry, AuditSeverity, SensorRecord, StoreError};
use serde_json::json;

use super::breaker::bound;
use super::{App, Meters};

/// How often they are looked for.
const LOOK: Duration = Duration::from_secs(60);
/// Age at which the audit log says that the installation looks stuck, once for each sensor.
const STUCK_AFTER: SignedDuration = SignedDuration::from_mins(15);
/// Age at which such a sensor is removed, provided that its certificate has ended.
const REMOVED_AFTER: SignedDuration = SignedDuration::from_hours(24);
/// Time for which the id and the key of a deleted sensor cannot come back.
const FORGOTTEN_AFTER: SignedDuration = SignedDuration::from_hours(400 * 24);

impl App {
    /// Looks after such sensors until draining begins: at once, then every minute.
    pub async fn look_after_unused_sensors(self: Arc<Self>, meters: Arc<Meters>, shutdown: Shutdown) {
        let mut stopped = false;
        loop {
            if let Err(error) = self.look_after_unused_sensors_once(&mut stopped, &meters).await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "sensors that are not used were not looked for"
                );
            }
            if let Err(error) = self.forget_deleted_sensors_once().await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "sensors that were deleted long ago were not forgotten"
                );
            }
            tokio::select! {
                () = shutdown.draining() => return,
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    /// Once: what is kept of sensors that were deleted long ago, and what of others nobody asks for any more.
    async fn forget_deleted_sensors_once(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let before = now.saturating_sub(FORGOTTEN_AFTER).unwrap_or(now);
        let forgotten = self.store.forget_deleted_sensors(before, now).await?;
        if forgotten > 0 {
            tracing::info!(forgotten, "sensors that were deleted long ago are forgotten");
        }
        Ok(())
    }

    /// Once. Where there are suddenly more of them than [`bound`], none is removed before somebody has looked.
    async fn look_after_unused_sensors_once(
        &self,
        stopped: &mut bool,
        meters: &Meters,
    ) -> Result<(), StoreError> {
        let now = self.clock.now();
        let before = |age: SignedDuration| now.saturating_sub(age).unwrap_or(now);
        let stuck = |sensor: &SensorRecord| Some(entry(now, "sensor.stuck", sensor));
        let stuck = self.store.mark_stuck_sensors(before(STUCK_AFTER), now, &stuck);
        for sensor in stuck.await? {
            tracing::warn!(sensor = %sensor.id, name = sensor.name, "an enrolled sensor has not connected yet");
        }
        let unused = self.store.unused_sensors(before(REMOVED_AFTER), now).await?;
        let too_many = unused.len() > bound(self.store.active_sensors().await?);
        match (too_many, *stopped) {
            (true, false) => {
                meters.reapers_stopped.inc();
                *stopped = true;
                let tenants = unused.iter().map(|sensor| sensor.tenant).collect();
                let details = json!({ "sensors": unused.len() });
                self.alarm_of_reaper("sensors.reaper_stopped", tenants, details)
                    .await?;
            }
            (false, true) => {
                meters.reapers_stopped.dec();
                *stopped = false;
            }
            _ => {}
        }
        if too_many || unused.is_empty() {
            return Ok(());
        }
        let removed = |sensor: &SensorRecord| Some(entry(now, "sensor.remove", sensor));
        let removed = self
            .store
            .remove_unused_sensors(before(REMOVED_AFTER), now, &removed);
        for sensor in removed.await? {
            tracing::warn!(sensor = %sensor.id, name = sensor.name, "a sensor that never connected was removed");
        }
        Ok(())
    }
}

fn entry(at: Timestamp, action: &str, sensor: &SensorRecord) -> AuditEntry {
    AuditEntry {
        at,
        actor: "system".to_owned(),
        action: action.to_owned(),
        object: format!("sensor:{}", sensor.id),
        severity: AuditSeverity::Notice,
        details: json!({
            "name": sensor.name,
            "enrolled_at": sensor.enrolled_at,
            "enrolled_from": sensor.enrolled_from,
        }),
    }
}
