//! Where the database is in time.

use jiff::Timestamp;
use sqlx::{Sqlite, SqliteExecutor};

use crate::sqlite::SqliteStore;
use crate::sqlite::columns::{Columns, millis};
use crate::sqlite::failure::During as _;
use crate::{StoreError, Timeline, TimelineMark};

const READ: &str = "read where the database is in time";
const BEAT: &str = "count the pulse of the database up";

pub(super) async fn read(executor: impl SqliteExecutor<'_>) -> Result<Timeline, StoreError> {
    let row = sqlx::query::<Sqlite>("SELECT * FROM timeline")
        .fetch_one(executor)
        .await
        .during(READ)?;
    let row = Columns::of("timeline", &row);
    let mark = match row.opt_time("marked_at")? {
        None => None,
        Some(at) => match row.get::<&str>("mark")? {
            "backup" => Some(TimelineMark::Backup { taken_at: at }),
            "restoring" => Some(TimelineMark::Restoring { since: at }),
            _ => return Err(row.corrupt("mark")),
        },
    };
    Ok(Timeline {
        pulse: row.number("pulse")?,
        mark,
    })
}

pub(super) async fn beat(store: &SqliteStore) -> Result<u64, StoreError> {
    let mut tx = store.write().await?;
    let row = sqlx::query("UPDATE timeline SET pulse = pulse + 1 WHERE mark IS NULL RETURNING pulse")
        .fetch_optional(&mut *tx)
        .await
        .during(BEAT)?;
    let Some(row) = row else {
        return Err(StoreError::Refused {
            what: "the database",
            why: "it is a backup, or one that is being restored".to_owned(),
        });
    };
    let pulse = Columns::of("timeline", &row).number("pulse")?;
    tx.commit().await.during(BEAT)?;
    Ok(pulse)
}

pub(super) async fn begin_restore(store: &SqliteStore, now: Timestamp) -> Result<(), StoreError> {
    const ACTION: &str = "begin to restore the database";
    let mut tx = store.write().await?;
    let look: String = sqlx::query_scalar("PRAGMA quick_check(1)")
        .fetch_one(&mut *tx)
        .await
        .during(ACTION)?;
    if look != "ok" {
        return Err(StoreError::Refused {
            what: "the database",
            why: format!("it is damaged: {look}"),
        });
    }
    sqlx::query(
        "UPDATE timeline SET mark = 'restoring', marked_at = ?1 WHERE mark IS NULL OR mark <> 'restoring'",
    )
    .bind(millis(now))
    .execute(&mut *tx)
    .await
    .during(ACTION)?;
    tx.commit().await.during(ACTION)
}
