//! Clearing away what is left of removed registries: tags, ledger and accounts of runs, of which there may be millions.

use super::super::SqliteStore;
use super::super::columns::integer;
use super::super::failure::During as _;
use crate::StoreError;

const CLEAR: &str = "clear away a removed registry";

/// Things that are gone and have left rows behind.
struct Remains {
    /// Deletes at most `?1` rows that the first of them left behind, by table.
    rows: &'static [&'static str],
    /// Deletes the note that there are any.
    done: &'static str,
}

/// Rows of a table that the first removed repository left behind.
macro_rules! of_repository {
    ($table:literal, $column:literal) => {
        concat!(
            "DELETE FROM ", $table, " WHERE (tenant_id, repository_no, ", $column, ") IN (
                 SELECT old.tenant_id, old.repository_no, old.", $column, "
                 FROM (SELECT tenant_id, repository_no FROM repository_remains ORDER BY tenant_id, repository_no LIMIT 1) AS gone
                 CROSS JOIN ", $table, " AS old
                 WHERE old.tenant_id = gone.tenant_id AND old.repository_no = gone.repository_no LIMIT ?1)"
        )
    };
}

const REMAINS: [Remains; 2] = [
    Remains {
        rows: &[
            of_repository!("tag", "tag"),
            "DELETE FROM ledger WHERE (tenant_id, repository_no, entry_no, tag) IN (
                 SELECT old.tenant_id, old.repository_no, old.entry_no, old.tag
                 FROM (SELECT tenant_id, repository_no FROM repository_remains ORDER BY tenant_id, repository_no LIMIT 1) AS gone
                 CROSS JOIN ledger AS old
                 WHERE old.tenant_id = gone.tenant_id AND old.repository_no = gone.repository_no LIMIT ?1)",
            of_repository!("ledger_entry", "entry_no"),
        ],
        done: "DELETE FROM repository_remains WHERE (tenant_id, repository_no) IN (
                   SELECT tenant_id, repository_no FROM repository_remains ORDER BY tenant_id, repository_no LIMIT 1)",
    },
    Remains {
        rows: &["DELETE FROM run_repository WHERE (tenant_id, run_id, repository) IN (
                 SELECT old.tenant_id, old.run_id, old.repository
                 FROM (SELECT tenant_id, run_id FROM run_remains ORDER BY tenant_id, run_id LIMIT 1) AS gone
                 CROSS JOIN run_repository AS old
                 WHERE old.tenant_id = gone.tenant_id AND old.run_id = gone.run_id LIMIT ?1)"],
        done: "DELETE FROM run_remains WHERE (tenant_id, run_id) IN (
                   SELECT tenant_id, run_id FROM run_remains ORDER BY tenant_id, run_id LIMIT 1)",
    },
];

/// Deletes at most so many rows, in one transaction; gives how many, none if nothing is left.
pub(super) async fn clear(store: &SqliteStore, most: u32) -> Result<u64, StoreError> {
    // Nearly always there is nothing: that is asked without taking the writer.
    let any: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM repository_remains) OR EXISTS (SELECT 1 FROM run_remains)",
    )
    .fetch_one(store.reader())
    .await
    .during(CLEAR)?;
    if !any {
        return Ok(0);
    }
    let most = u64::from(most.max(1));
    let mut removed = 0;
    let mut tx = store.write().await?;
    'enough: for remains in &REMAINS {
        loop {
            for &statement in remains.rows {
                removed += sqlx::query(statement)
                    .bind(integer(most - removed))
                    .execute(&mut *tx)
                    .await
                    .during(CLEAR)?
                    .rows_affected();
                // There may be more of the same.
                if removed >= most {
                    break 'enough;
                }
            }
            let done = sqlx::query(remains.done).execute(&mut *tx).await;
            if done.during(CLEAR)?.rows_affected() == 0 {
                break;
            }
            removed += 1;
            if removed >= most {
                break 'enough;
            }
        }
    }
    tx.commit().await.during(CLEAR)?;
    Ok(removed)
}
