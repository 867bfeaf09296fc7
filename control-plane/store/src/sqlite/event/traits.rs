//! The trait's methods, and counts of what came in.

use async_trait::async_trait;
use jiff::Timestamp;
use portolan_shared::model::{RegistryId, RunId, SensorId, TenantId};
use sqlx::sqlite::SqliteRow;

use super::super::SqliteStore;
use super::super::columns::{Columns, millis};
use super::super::failure::During as _;
use super::{due, note, take, told};
use crate::{DueEvents, EventCount, EventDoor, EventIntake, Events, EventsNoted, QueueOutcome, StoreError};

/// How long what is kept of a repository that was looked at is of use, in milliseconds.
const IDLE_MILLIS: i64 = 60 * 60 * 1_000;
const FORGOTTEN_AT_ONCE: i64 = 1_000;

#[async_trait]
impl Events for SqliteStore {
    async fn tenant_of_registry(&self, registry: RegistryId) -> Result<Option<TenantId>, StoreError> {
        let row = sqlx::query("SELECT tenant_id FROM registry WHERE registry_id = ?1 LIMIT 1")
            .bind(registry.as_bytes().as_slice())
            .fetch_optional(self.reader())
            .await
            .during("find whose registry it is")?;
        row.map(|row| Columns::of("registry", &row).bytes("tenant_id", TenantId::from_slice))
            .transpose()
    }

    async fn note_events(&self, intake: &EventIntake) -> Result<EventsNoted, StoreError> {
        note::note(self, intake).await
    }

    async fn due_events(&self, now: Timestamp, limit: u32) -> Result<Vec<DueEvents>, StoreError> {
        due::due(self, now, limit).await
    }

    async fn next_event_due(&self) -> Result<Option<Timestamp>, StoreError> {
        due::next(self).await
    }

    async fn queue_event_run(
        &self,
        due: &DueEvents,
        run: RunId,
        now: Timestamp,
    ) -> Result<Option<QueueOutcome>, StoreError> {
        take::take(self, due, run, now).await
    }

    async fn sum_up_looks(&self, now: Timestamp) -> Result<u64, StoreError> {
        told::sum_up(self, now).await
    }

    async fn put_off_events(&self, due: &DueEvents, until: Timestamp) -> Result<(), StoreError> {
        take::put_off(self, due, until).await
    }

    async fn event_counts(
        &self,
        tenant: TenantId,
        registry: RegistryId,
    ) -> Result<Vec<EventCount>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM event_count WHERE tenant_id = ?1 AND registry_id = ?2 ORDER BY door <> 'webhook', door",
        )
        .bind(tenant.as_bytes().as_slice())
        .bind(registry.as_bytes().as_slice())
        .fetch_all(self.reader())
        .await
        .during("find what events came in")?;
        rows.iter().map(counted).collect()
    }

    async fn forget_idle_events(&self, now: Timestamp) -> Result<u64, StoreError> {
        const ACTION: &str = "forget what was looked at";
        let mut tx = self.write().await?;
        let forgotten = sqlx::query(
            "DELETE FROM event_pending WHERE (tenant_id, registry_id, repository) IN
                 (SELECT tenant_id, registry_id, repository FROM event_pending INDEXED BY event_idle
                  WHERE due_at IS NULL AND taken_at <= ?1 ORDER BY taken_at LIMIT ?2)",
        )
        .bind(millis(now) - IDLE_MILLIS)
        .bind(FORGOTTEN_AT_ONCE)
        .execute(&mut *tx)
        .await
        .during(ACTION)?;
        tx.commit().await.during(ACTION)?;
        Ok(forgotten.rows_affected())
    }
}

fn counted(row: &SqliteRow) -> Result<EventCount, StoreError> {
    let row = Columns::of("event_count", row);
    let door = match row.get("door")? {
        "webhook" => EventDoor::Webhook,
        _ => EventDoor::Sensor(row.text::<SensorId>("door")?),
    };
    let refused_at = row.opt_time("last_refused_at")?;
    let why: Option<String> = row.get("last_refused")?;
    Ok(EventCount {
        door,
        accepted: row.number("accepted")?,
        ignored: row.number("ignored")?,
        refused: row.number("refused")?,
        given_up: row.number("given_up")?,
        last_at: row.opt_time("last_at")?,
        last_refused: refused_at.map(|at| (at, why.unwrap_or_default())),
    })
}
