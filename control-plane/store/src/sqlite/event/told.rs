//! What the audit log is told of runs that events queue.
//!
//! One of the whole registry has an entry, as those have that people and schedules ask for. Of single repositories there may be two a second for
//! each registry: they are counted by the day, and the day's number is told when it is over.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use portolan_shared::model::{RegistryId, RegistryName, TenantId};
use serde_json::json;
use sqlx::sqlite::SqliteRow;
use sqlx::{Sqlite, Transaction};

use super::super::columns::{Columns, millis};
use super::super::failure::During as _;
use super::super::rows::hex;
use super::super::{SqliteStore, audit, run};
use crate::{AuditEntry, AuditSeverity, NewRun, QueueOutcome, StoreError};

const QUEUE: &str = "queue a run for events";
const SUM_UP: &str = "sum up the looks of a day";
const DAY_MILLIS: i64 = 24 * 60 * 60 * 1_000;
/// Registries and days that are told of in one transaction.
const AT_ONCE: i64 = 200;
/// By whom.
const ACTOR: &str = "events";

/// Days before ?1, and those that a clock has written that was ahead: another control plane's may be a moment ahead, at midnight.
const OVER: &str =
    "SELECT tenant_id, registry_id, day FROM event_look INDEXED BY event_look_day WHERE day < ?1
     UNION ALL
     SELECT tenant_id, registry_id, day FROM event_look INDEXED BY event_look_day WHERE day > ?1 + 1
     ORDER BY day LIMIT ?2";

/// Queues a run, and tells or counts it.
pub(super) async fn queue(
    tx: &mut Transaction<'static, Sqlite>,
    new: &NewRun,
) -> Result<QueueOutcome, StoreError> {
    let name = sqlx::query("SELECT name FROM registry WHERE tenant_id = ?1 AND registry_id = ?2")
        .bind(new.tenant.as_bytes().as_slice())
        .bind(new.registry.as_bytes().as_slice())
        .fetch_optional(&mut **tx)
        .await
        .during(QUEUE)?;
    let Some(row) = name else {
        return Ok(QueueOutcome::UnknownRegistry);
    };
    let name: RegistryName = Columns::of("registry", &row).text("name")?;
    if new.scope.is_whole() {
        return run::queue_within(tx, new, Some(&of_whole(new, &name))).await;
    }
    let outcome = run::queue_within(tx, new, None).await?;
    if outcome == QueueOutcome::Queued {
        count(tx, new, &name).await?;
    }
    Ok(outcome)
}

fn of_whole(run: &NewRun, registry: &RegistryName) -> AuditEntry {
    AuditEntry {
        at: run.now,
        actor: ACTOR.to_owned(),
        action: "run.queue".to_owned(),
        object: format!("run:{}", run.id),
        severity: AuditSeverity::Info,
        details: json!({
            "registry": registry,
            "repositories": run.scope.repositories.len(),
            "trigger": run.trigger,
            "requested_by": run.requested_by,
        }),
    }
}

async fn count(
    tx: &mut Transaction<'static, Sqlite>,
    run: &NewRun,
    name: &RegistryName,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO event_look (tenant_id, registry_id, day, registry, runs) VALUES (?1, ?2, ?3, ?4, 1)
         ON CONFLICT DO UPDATE SET registry = excluded.registry, runs = runs + 1",
    )
    .bind(run.tenant.as_bytes().as_slice())
    .bind(run.registry.as_bytes().as_slice())
    .bind(day(run.now))
    .bind(name.as_str())
    .execute(&mut **tx)
    .await
    .during(QUEUE)?;
    Ok(())
}

/// Its number.
fn day(time: Timestamp) -> i64 {
    millis(time).div_euclid(DAY_MILLIS)
}

pub(super) async fn sum_up(store: &SqliteStore, now: Timestamp) -> Result<u64, StoreError> {
    let today = day(now);
    let over = sqlx::query(OVER)
        .bind(today)
        .bind(1_i64)
        .fetch_optional(store.reader())
        .await
        .during(SUM_UP)?;
    if over.is_none() {
        return Ok(0);
    }
    let mut tx = store.write().await?;
    let over = sqlx::query(OVER)
        .bind(today)
        .bind(AT_ONCE)
        .fetch_all(&mut *tx)
        .await
        .during(SUM_UP)?;
    for row in &over {
        let key = Columns::of("event_look", row);
        let counted = sqlx::query(
            "DELETE FROM event_look WHERE tenant_id = ?1 AND registry_id = ?2 AND day = ?3 RETURNING *",
        )
        .bind(key.get::<&[u8]>("tenant_id")?)
        .bind(key.get::<&[u8]>("registry_id")?)
        .bind(key.get::<i64>("day")?)
        .fetch_one(&mut *tx)
        .await
        .during(SUM_UP)?;
        match tell(&mut tx, &counted, now).await {
            Ok(()) => {}
            Err(error @ StoreError::Unavailable { .. }) => return Err(error),
            // One that cannot be read must not keep all others from being told of.
            Err(error) => tracing::error!(
                row = as_it_is(&counted),
                error = &error as &dyn std::error::Error,
                "looks of a day were not told of"
            ),
        }
    }
    tx.commit().await.during(SUM_UP)?;
    Ok(over.len() as u64)
}

async fn tell(
    tx: &mut Transaction<'static, Sqlite>,
    counted: &SqliteRow,
    now: Timestamp,
) -> Result<(), StoreError> {
    let (tenant, entry) = of_day(counted, now)?;
    audit::append(tx, tenant, &entry).await?;
    Ok(())
}

/// Tenant, registry, day and number, for the log.
fn as_it_is(counted: &SqliteRow) -> String {
    let row = Columns::of("event_look", counted);
    let bytes = |column| row.get(column).map_or_else(|_| String::new(), hex);
    let number = |column| row.get::<i64>(column).unwrap_or_default();
    let (tenant, registry) = (bytes("tenant_id"), bytes("registry_id"));
    format!("{tenant} {registry} {} {}", number("day"), number("runs"))
}

/// Whom it is told to, and what.
fn of_day(counted: &SqliteRow, at: Timestamp) -> Result<(TenantId, AuditEntry), StoreError> {
    let row = Columns::of("event_look", counted);
    let tenant = row.bytes("tenant_id", TenantId::from_slice)?;
    let registry = row.bytes("registry_id", RegistryId::from_slice)?;
    let name: RegistryName = row.text("registry")?;
    let begins = row.get::<i64>("day")?.saturating_mul(DAY_MILLIS);
    let begins = Timestamp::from_millisecond(begins).map_err(|_| row.corrupt("day"))?;
    let entry = AuditEntry {
        at,
        actor: ACTOR.to_owned(),
        action: "run.looks".to_owned(),
        object: format!("registry:{registry}"),
        severity: AuditSeverity::Info,
        details: json!({
            "registry": name,
            "day": begins.strftime("%Y-%m-%d").to_string(),
            "runs": row.number("runs")?,
        }),
    };
    Ok((tenant, entry))
}

/// Forgets the count of a day that the log has told already. Gives whether there was one.
pub(in super::super) async fn forget(
    tx: &mut Transaction<'static, Sqlite>,
    (tenant, registry): (TenantId, RegistryId),
    date: Date,
) -> Result<bool, StoreError> {
    const ACTION: &str = "forget looks that were told of";
    let Ok(begins) = date.to_zoned(TimeZone::UTC) else {
        return Ok(false);
    };
    let done = sqlx::query("DELETE FROM event_look WHERE tenant_id = ?1 AND registry_id = ?2 AND day = ?3")
        .bind(tenant.as_bytes().as_slice())
        .bind(registry.as_bytes().as_slice())
        .bind(day(begins.timestamp()))
        .execute(&mut **tx)
        .await
        .during(ACTION)?;
    Ok(done.rows_affected() > 0)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::super::super::{SqliteStore, plan};

    #[tokio::test]
    async fn days_that_are_not_over_are_not_read() {
        plan::goes_by(&["event_look_day (day<?)", "event_look_day (day>?)"], super::OVER).await;
    }

    /// Whatever of it cannot be read.
    #[tokio::test]
    async fn a_day_that_cannot_be_read_keeps_no_other_from_being_told() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("portolan.db"))
            .await
            .unwrap();
        let mut tx = store.write().await.unwrap();
        for sql in [
            "INSERT INTO tenant (tenant_id, name, created_at) VALUES (zeroblob(16), 'acme', 0)",
            "INSERT INTO event_look (tenant_id, registry_id, day, registry, runs) VALUES
                 (x'00', zeroblob(16), 1, 'gl', 1), (zeroblob(16), x'00', 2, 'gl', 1), (zeroblob(16), zeroblob(16), 3, 'no name', 1),
                 (zeroblob(16), zeroblob(16), -9223372036854775807, 'gl', 1), (zeroblob(16), zeroblob(16), 4, 'gl', 7)",
        ] {
            sqlx::query(sql).execute(&mut *tx).await.unwrap();
        }
        tx.commit().await.unwrap();
        let now = Timestamp::from_millisecond(9 * super::DAY_MILLIS).unwrap();
        assert_eq!(super::sum_up(&store, now).await.unwrap(), 5);
        assert_eq!(super::sum_up(&store, now).await.unwrap(), 0);
        let told: Vec<i64> = sqlx::query_scalar("SELECT details ->> 'runs' FROM audit")
            .fetch_all(store.reader())
            .await
            .unwrap();
        assert_eq!(told, [7]);
    }
}
