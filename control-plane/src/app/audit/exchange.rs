//! What the two sides tell each other of their audit logs.

use portolan_shared::audit::{AuditHash, AuditHead, SignedCheckpoint};
use portolan_shared::model::{SensorId, TenantId, limits};
use portolan_store::{
    AuditEntry, AuditSeverity, Cursor, KnownSensorLog, PageRequest, SensorHead, SensorHeadOutcome,
    SensorLogProblem, SensorLogStep, StoreError,
};
use serde_json::json;

use super::steps::Taken;
use crate::app::App;

impl App {
    /// The checkpoint to bring to a sensor that keeps the one at record `kept` (0: none): the newest one within reach of it. Also one that the
    /// sensor has, or that lies before what it has: whether that is right, it must judge.
    pub async fn checkpoint_behind(
        &self,
        tenant: TenantId,
        kept: u64,
    ) -> Result<Option<SignedCheckpoint>, StoreError> {
        let reach = kept.saturating_add(limits::AUDIT_RECORDS_AT_ONCE);
        for after in [None, (kept > 0).then(|| Cursor::at(reach.to_string().as_bytes()))] {
            let newest = PageRequest { after, limit: 1 };
            let found = self.store.audit_checkpoints(tenant, &newest).await?.items.pop();
            match found {
                Some(found) if kept > 0 && found.checkpoint.seq >= reach => {}
                found => return Ok(found),
            }
        }
        Ok(None)
    }

    /// Digests of the records behind `after`, up to record `until`, at most [`limits::AUDIT_DIGESTS`].
    pub async fn audit_digests(
        &self,
        tenant: TenantId,
        after: u64,
        until: u64,
    ) -> Result<Vec<AuditHash>, StoreError> {
        let mut digests = Vec::new();
        let mut last = after;
        while digests.len() < limits::AUDIT_DIGESTS && last < until {
            let records = self.store.audit_range(tenant, last, PageRequest::MAX).await?;
            let Some(newest) = records.last() else {
                break;
            };
            last = newest.record.seq;
            let wanted = records.iter().filter(|linked| linked.record.seq <= until);
            digests.extend(wanted.map(|linked| linked.record.digest()));
        }
        digests.truncate(limits::AUDIT_DIGESTS);
        Ok(digests)
    }

    /// A sensor said where its own log stands, and which checkpoint it has refused. Gives where it is known to stand: short of what it says,
    /// it still has to show how it went on from there. `None` if something is wrong that will be told of with a later report, because the last
    /// entry about this sensor is too young.
    ///
    /// A log that has gone on as it should is written with the next [`App::write_sensor_logs`], and counts at once. What is wrong is written
    /// before this returns.
    pub async fn note_sensor_audit(
        &self,
        tenant: TenantId,
        sensor: SensorId,
        said: &SensorHead,
    ) -> Result<Option<AuditHead>, StoreError> {
        loop {
            let before = self.pace.steps.of(sensor);
            let stored = match before {
                Some(_) if said.refused.is_none() => None,
                _ => self.store.sensor_log(tenant, sensor).await?,
            };
            let from = match before {
                Some(step) => step.from,
                None => stored.as_ref().map(|log| log.head),
            };
            let known = before.map(|step| step.to).or(from);
            let log = KnownSensorLog {
                head: known.unwrap_or(said.head),
                problem: stored.and_then(|log| log.problem),
            };
            let (outcome, problems) = log.judge(said);
            if !problems.is_empty() {
                return self.tell_of_sensor_log(tenant, sensor, said, before).await;
            }
            let reached = match outcome {
                SensorHeadOutcome::Extended(reached) if known != Some(reached) => reached,
                _ => return Ok(Some(log.head)),
            };
            let step = SensorLogStep {
                tenant,
                sensor,
                from,
                to: reached,
                at: self.clock.now(),
            };
            match self.pace.steps.put(before, step) {
                Taken::Waits => {}
                // It was written, or another session of the sensor was quicker: judged anew by what is known now.
                Taken::Overtaken => continue,
                Taken::Full => self.store.extend_sensor_logs(&[step]).await?,
            }
            return Ok(Some(reached));
        }
    }

    /// Writes how sensors' logs have gone on since the last time, all in one transaction.
    pub async fn write_sensor_logs(&self) -> Result<(), StoreError> {
        let steps = self.pace.steps.all();
        self.store.extend_sensor_logs(&steps).await?;
        self.pace.steps.written(&steps);
        Ok(())
    }

    async fn tell_of_sensor_log(
        &self,
        tenant: TenantId,
        sensor: SensorId,
        said: &SensorHead,
        before: Option<SensorLogStep>,
    ) -> Result<Option<AuditHead>, StoreError> {
        // One report counts once, also if two things are wrong with it: both are told.
        let Some(times) = self.pace.sensors.count((sensor, MISMATCH), self.clock.uptime()) else {
            return Ok(None);
        };
        if let Some(step) = before {
            self.store.extend_sensor_logs(&[step]).await?;
            self.pace.steps.written(&[step]);
        }
        let now = self.clock.now();
        let entry = |found: &SensorLogProblem| {
            tracing::error!(%sensor, %tenant, problem = found.problem, "a sensor and this control plane do not agree about an audit log");
            Some(AuditEntry {
                at: now,
                actor: format!("sensor:{sensor}"),
                action: MISMATCH.to_owned(),
                object: format!("sensor:{sensor}"),
                severity: AuditSeverity::High,
                details: json!({
                    "problem": found.problem, "known": found.known, "reported": found.reported, "times": times,
                }),
            })
        };
        let recorded = self.store.record_sensor_head(tenant, sensor, said, now, &entry);
        let (_, known) = recorded.await?;
        Ok(Some(known))
    }
}

const MISMATCH: &str = "sensor.audit_mismatch";
