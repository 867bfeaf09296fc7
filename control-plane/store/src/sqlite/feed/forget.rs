//! Removing what need not be kept any more.
//!
//! History is gone through once, in the order of the feed: by each change that has become old, the one of the same tag before it is
//! superseded and goes, and it goes itself if the tag was not there any more. What is left of the past is one change of each tag that was there.

use jiff::{SignedDuration, Timestamp};
use portolan_shared::model::{TenantId, limits};
use serde::Serialize;
use sqlx::{Row as _, Sqlite, Transaction};

use super::super::columns::{Columns, integer, millis};
use super::super::failure::During as _;
use super::super::{SqliteStore, rows};
use super::{retention, runs};
use crate::StoreError;

pub(super) const FORGET: &str = "forget the past";
/// Entries that are gone through at once.
const ENTRIES: i64 = 500;

/// What of a tenant's past may go.
struct Forgetful {
    tenant: TenantId,
    history_before: Option<Timestamp>,
    runs_before: Option<Timestamp>,
    looks_before: Option<Timestamp>,
}

/// Goes through at most about so many rows, of one tenant after the other, each in its own transaction.
pub(super) async fn forget(store: &SqliteStore, now: Timestamp, most: u32) -> Result<u64, StoreError> {
    let most = u64::from(most.max(1));
    let mut gone_through = 0;
    let mut failed = None;
    for forgetful in forgetful(store, now).await? {
        if gone_through >= most {
            break;
        }
        let done = match forgetful {
            Ok(forgetful) => forget_of(store, &forgetful, most - gone_through).await,
            Err(error) => Err(error),
        };
        match done {
            Ok(rows) => gone_through += rows,
            Err(error @ StoreError::Unavailable { .. }) => return Err(error),
            // It lies in what is stored of this tenant: the others need not keep for that what they do not want.
            Err(error) => {
                failed.get_or_insert(error);
            }
        }
    }
    match failed {
        Some(error) if gone_through == 0 => Err(error),
        Some(_) | None => Ok(gone_through),
    }
}

async fn forget_of(store: &SqliteStore, of: &Forgetful, most: u64) -> Result<u64, StoreError> {
    let mut gone_through = 0;
    if let Some(before) = of.history_before
        && has_old_history(store, of.tenant, before).await?
    {
        gone_through += history(store, of.tenant, before, most).await?;
    }
    for (old, before) in [(runs::OLD, of.runs_before), (runs::OLD_LOOKS, of.looks_before)] {
        if let Some(before) = before
            && gone_through < most
        {
            gone_through += runs::forget(store, of.tenant, (old, before), most - gone_through).await?;
        }
    }
    Ok(gone_through)
}

async fn forgetful(
    store: &SqliteStore,
    now: Timestamp,
) -> Result<Vec<Result<Forgetful, StoreError>>, StoreError> {
    let rows = sqlx::query("SELECT tenant_id, history_days, runs_days FROM tenant")
        .fetch_all(store.reader())
        .await
        .during(FORGET)?;
    // So many days that there is no such time: everything is kept.
    let before = |days: u32| {
        now.checked_sub(SignedDuration::from_hours(24 * i64::from(days)))
            .ok()
    };
    let read = |row| {
        let row = Columns::of("tenant", row);
        let kept = retention::of(&row)?;
        Ok(Forgetful {
            tenant: row.bytes("tenant_id", TenantId::from_slice)?,
            history_before: kept.history_days.and_then(before),
            runs_before: kept.runs_days.and_then(before),
            looks_before: before(limits::LOOKS_DAYS),
        })
    };
    Ok(rows.iter().map(read).collect())
}

/// The latest time up to this one that the clock of any sensor has shown when it last opened a session.
pub(super) async fn told(store: &SqliteStore, until: Timestamp) -> Result<Option<Timestamp>, StoreError> {
    let row = sqlx::query(TOLD)
        .bind(millis(until))
        .fetch_one(store.reader())
        .await
        .during("ask what time sensors have told")?;
    Columns::of("sensor", &row).opt_time("told_at")
}

pub(super) const TOLD: &str = "SELECT max(told_at) AS told_at FROM sensor INDEXED BY sensor_told
     WHERE told_at IS NOT NULL AND told_at BETWEEN 0 AND ?1";

/// Entries that were not gone through yet, or not to the end.
pub(super) const OLD: &str = "SELECT ledger_entry.feed_no, ledger_entry.noticed_at
     FROM tenant CROSS JOIN ledger_entry INDEXED BY ledger_feed
     WHERE tenant.tenant_id = ?1 AND ledger_entry.tenant_id = ?1
       AND ledger_entry.feed_no >= tenant.feed_forgotten + (tenant.feed_forgotten_tag IS NULL)
     ORDER BY ledger_entry.feed_no LIMIT ?2";

/// Whether there is something to do: without taking the writer for it.
async fn has_old_history(
    store: &SqliteStore,
    tenant: TenantId,
    before: Timestamp,
) -> Result<bool, StoreError> {
    let first = sqlx::query(OLD)
        .bind(tenant.as_bytes().as_slice())
        .bind(1)
        .fetch_optional(store.reader())
        .await
        .during(FORGET)?;
    first.map_or(Ok(false), |row| {
        Ok(Columns::of("ledger_entry", &row).get::<i64>("noticed_at")? < millis(before))
    })
}

/// An entry that is old.
struct OldEntry {
    feed_no: i64,
    noticed_at: i64,
}

/// A change that is old: repository, tag, entry, and 1 if the tag was not there after it.
#[derive(Serialize)]
struct OldLine(i64, String, i64, bool);

/// Lines of old entries behind the entry and tag that were gone through last. One entry at a time is sorted, as its key has it.
pub(super) const LINES: &str = "SELECT ledger_entry.feed_no, ledger.repository_no, ledger.entry_no, ledger.tag, ledger.digest_after IS NULL AS gone
     FROM tenant CROSS JOIN ledger_entry INDEXED BY ledger_feed CROSS JOIN ledger
     WHERE tenant.tenant_id = ?1 AND ledger_entry.tenant_id = ?1
       AND ledger_entry.feed_no >= tenant.feed_forgotten + (tenant.feed_forgotten_tag IS NULL) AND ledger_entry.feed_no <= ?2
       AND ledger.tenant_id = ?1 AND ledger.repository_no = ledger_entry.repository_no AND ledger.entry_no = ledger_entry.entry_no
       AND (ledger_entry.feed_no > tenant.feed_forgotten OR ledger.tag > tenant.feed_forgotten_tag)
     ORDER BY ledger_entry.feed_no, ledger.tag LIMIT ?3";

pub(super) const SUPERSEDED: &str = "DELETE FROM ledger WHERE (tenant_id, repository_no, entry_no, tag) IN (
         SELECT ?1, old.repository_no, old.entry_no, old.tag FROM json_each(?2) CROSS JOIN ledger AS old INDEXED BY ledger_tag
         WHERE old.tenant_id = ?1 AND old.repository_no = value ->> 0 AND old.tag = value ->> 1
           AND (old.entry_no < value ->> 2 OR (old.entry_no = value ->> 2 AND value ->> 3)))
     RETURNING repository_no, entry_no";

async fn history(
    store: &SqliteStore,
    tenant: TenantId,
    before: Timestamp,
    most: u64,
) -> Result<u64, StoreError> {
    let mut tx = store.write().await?;
    let entries = old_entries(&mut tx, tenant, before).await?;
    let Some(last_entry) = entries.last() else {
        return Ok(0);
    };
    let lines = sqlx::query(LINES)
        .bind(tenant.as_bytes().as_slice())
        .bind(last_entry.feed_no)
        .bind(integer(most))
        .fetch_all(&mut *tx)
        .await
        .during(FORGET)?;
    let mut old = Vec::with_capacity(lines.len());
    for row in &lines {
        let row = Columns::of("ledger", row);
        old.push(OldLine(
            row.get("repository_no")?,
            row.get("tag")?,
            row.get("entry_no")?,
            row.get("gone")?,
        ));
    }
    // There may be more of the same entry.
    let mut reached = (last_entry.feed_no, None);
    if lines.len() as u64 >= most
        && let (Some(row), Some(last)) = (lines.last(), old.last())
    {
        reached = (Columns::of("ledger", row).get("feed_no")?, Some(last.1.clone()));
    }
    let removed: Vec<(i64, i64)> = sqlx::query(SUPERSEDED)
        .bind(tenant.as_bytes().as_slice())
        .bind(rows::array(&old)?)
        .try_map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
        .fetch_all(&mut *tx)
        .await
        .during(FORGET)?;
    remove_empty(&mut tx, tenant, &removed).await?;
    let known_from = entries
        .iter()
        .filter(|entry| entry.feed_no <= reached.0)
        .map(|entry| entry.noticed_at)
        .max();
    advance(&mut tx, tenant, &reached, known_from).await?;
    tx.commit().await.during(FORGET)?;
    Ok((old.len() as u64).max(1))
}

async fn old_entries(
    tx: &mut Transaction<'static, Sqlite>,
    tenant: TenantId,
    before: Timestamp,
) -> Result<Vec<OldEntry>, StoreError> {
    let rows = sqlx::query(OLD)
        .bind(tenant.as_bytes().as_slice())
        .bind(ENTRIES)
        .fetch_all(&mut **tx)
        .await
        .during(FORGET)?;
    let mut entries = Vec::with_capacity(rows.len());
    for row in &rows {
        let row = Columns::of("ledger_entry", row);
        let noticed_at = row.get("noticed_at")?;
        // In the order of the feed, up to the first that is still kept: where the clock was set back, a little more is.
        if noticed_at >= millis(before) {
            break;
        }
        entries.push(OldEntry {
            feed_no: row.get("feed_no")?,
            noticed_at,
        });
    }
    Ok(entries)
}

/// Removes those of these entries that have no lines any more.
async fn remove_empty(
    tx: &mut Transaction<'static, Sqlite>,
    tenant: TenantId,
    entries: &[(i64, i64)],
) -> Result<(), StoreError> {
    sqlx::query(
        "DELETE FROM ledger_entry
         WHERE (tenant_id, repository_no, entry_no) IN (SELECT ?1, value ->> 0, value ->> 1 FROM json_each(?2))
           AND NOT EXISTS (SELECT 1 FROM ledger WHERE ledger.tenant_id = ?1 AND ledger.repository_no = ledger_entry.repository_no
                              AND ledger.entry_no = ledger_entry.entry_no)",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(rows::array(entries)?)
    .execute(&mut **tx)
    .await
    .during(FORGET)?;
    Ok(())
}

/// Notes how far it has come; removed registries in front of that are forgotten as well.
async fn advance(
    tx: &mut Transaction<'static, Sqlite>,
    tenant: TenantId,
    (entry, tag): &(i64, Option<String>),
    known_from: Option<i64>,
) -> Result<(), StoreError> {
    const STATEMENTS: [&str; 3] = [
        "UPDATE tenant SET feed_forgotten = ?2, feed_forgotten_tag = ?3,
                history_from = max(coalesce(history_from, ?4), coalesce(?4, history_from))
         WHERE tenant_id = ?1",
        "DELETE FROM registry_removal WHERE tenant_id = ?1 AND feed_no <= ?2",
        "DELETE FROM registry_feed WHERE tenant_id = ?1 AND feed_no <= ?2
           AND NOT EXISTS (SELECT 1 FROM registry WHERE registry.tenant_id = ?1 AND registry.registry_id = registry_feed.registry_id)
           AND NOT EXISTS (SELECT 1 FROM webhook WHERE webhook.tenant_id = ?1 AND webhook.registry_id = registry_feed.registry_id)",
    ];
    for statement in STATEMENTS {
        sqlx::query(statement)
            .bind(tenant.as_bytes().as_slice())
            .bind(entry)
            .bind(tag)
            .bind(known_from)
            .execute(&mut **tx)
            .await
            .during(FORGET)?;
    }
    Ok(())
}
