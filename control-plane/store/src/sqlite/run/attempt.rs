//! The end of an attempt that did not close its run, and the end of a run.

use jiff::Timestamp;
use portolan_shared::model::limits::FRUITLESS_ATTEMPTS;
use portolan_shared::model::{Coverage, Finding, FindingCode, RunId, RunState, TenantId};
use sqlx::{Sqlite, SqliteConnection, Transaction};

use super::super::columns::{Columns, millis};
use super::super::event;
use super::super::failure::During as _;
use super::super::rows::json;
use super::{behind, reasons};
use crate::StoreError;

const END: &str = "end an attempt";

/// Why an attempt ended.
pub(super) enum Ending<'a> {
    /// Its holder was lost.
    Lost,
    /// Its holder says why; the run may be tried again then, or never.
    Failed(&'a Finding, Option<Timestamp>),
}

/// Ends the attempt of a leased run: the run is queued again, or fails.
pub(super) async fn end(
    tx: &mut Transaction<'static, Sqlite>,
    tenant: TenantId,
    run: RunId,
    ending: &Ending<'_>,
    now: Timestamp,
) -> Result<RunState, StoreError> {
    let row = sqlx::query(
        "UPDATE run SET fruitless_attempts = iif(attempt_fruitful, 0, fruitless_attempts + 1)
         WHERE tenant_id = ?1 AND run_id = ?2 AND state = 'leased' RETURNING fruitless_attempts, attempt",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(run.as_bytes().as_slice())
    .fetch_one(&mut **tx)
    .await
    .during(END)?;
    let row = Columns::of("run", &row);
    let (fruitless, attempt) = (row.small("fruitless_attempts")?, row.small("attempt")?);
    let (finding, retry_at) = match ending {
        Ending::Lost => (lost(attempt, fruitless), Some(now)),
        Ending::Failed(finding, retry_at) => ((*finding).clone(), *retry_at),
    };
    let Some(retry_at) = retry_at.filter(|_| fruitless < FRUITLESS_ATTEMPTS) else {
        let coverage = counted(tx, tenant, run).await?;
        finish(tx, tenant, run, RunState::Failed, &coverage, Some(&finding), now).await?;
        return Ok(RunState::Failed);
    };
    sqlx::query(
        "UPDATE run SET state = 'queued', session_epoch = NULL, lease_until = NULL, not_before = ?3, finding = ?4
         WHERE tenant_id = ?1 AND run_id = ?2",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(run.as_bytes().as_slice())
    .bind(millis(retry_at))
    .bind(json("finding", &finding)?)
    .execute(&mut **tx)
    .await
    .during(END)?;
    Ok(RunState::Queued)
}

/// Forgets what came of the repositories of a queued run if its registry's address, patterns or tag filter were changed since its last attempt was leased:
/// none of that was seen as it is wanted now, so the next attempt reads all of it. What was committed stays in the inventory and in the ledger.
pub(super) async fn begin_anew(
    tx: &mut Transaction<'static, Sqlite>,
    tenant: TenantId,
    run: RunId,
) -> Result<(), StoreError> {
    const ACTION: &str = "begin a run anew";
    let changed = sqlx::query(
        "UPDATE run SET commits = 0, reported = 0, details = 0
         WHERE tenant_id = ?1 AND run_id = ?2 AND state = 'queued'
           AND registry_version < (SELECT wanted_version FROM registry WHERE registry.tenant_id = ?1
                                      AND registry.registry_id = run.registry_id)",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(run.as_bytes().as_slice())
    .execute(&mut **tx)
    .await
    .during(ACTION)?;
    if changed.rows_affected() > 0 {
        sqlx::query("DELETE FROM run_repository WHERE tenant_id = ?1 AND run_id = ?2")
            .bind(tenant.as_bytes().as_slice())
            .bind(run.as_bytes().as_slice())
            .execute(&mut **tx)
            .await
            .during(ACTION)?;
    }
    Ok(())
}

/// What is said of a run whose attempt was lost.
fn lost(attempt: u32, fruitless: u32) -> Finding {
    let seen = if fruitless < FRUITLESS_ATTEMPTS {
        format!("attempt {attempt} was lost with the sensor that worked on it")
    } else {
        format!(
            "attempt {attempt} was lost, and {fruitless} attempts in a row ended before they committed anything"
        )
    };
    Finding::new(FindingCode::RunSensorLost, &seen)
}

/// Ends a run, and lets the one go that follows it; the one that it follows hastens no more for it. What events named and it did not come to is looked at again, unless it was cancelled. Of its repositories only those that were not complete are kept, and those that are named as left out.
pub(super) async fn finish(
    tx: &mut Transaction<'static, Sqlite>,
    tenant: TenantId,
    run: RunId,
    state: RunState,
    coverage: &Coverage,
    finding: Option<&Finding>,
    now: Timestamp,
) -> Result<(), StoreError> {
    const ACTION: &str = "end a run";
    let ended = sqlx::query(
        "UPDATE run SET state = ?3, ended_at = ?4, coverage = ?5, finding = ?6, session_epoch = NULL, lease_until = NULL
         WHERE tenant_id = ?1 AND run_id = ?2 RETURNING behind",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(run.as_bytes().as_slice())
    .bind(state.as_str())
    .bind(millis(now))
    .bind(json("coverage", coverage)?)
    .bind(finding.map(|finding| json("finding", finding)).transpose()?)
    .fetch_one(&mut **tx)
    .await
    .during(ACTION)?;
    behind::let_go(tx, (tenant, run), now).await?;
    // Whoever still waits for another has not begun: that one is as urgent again as it is by itself.
    if let Some(former) = Columns::of("run", &ended).opt_bytes("behind", RunId::from_slice)? {
        reasons::settle(tx, (tenant, former)).await?;
    }
    if state != RunState::Cancelled {
        match event::looked(tx, (tenant, run), state, now).await {
            Ok(()) => {}
            // A row that cannot be read must not keep the run from ending. Nothing was written.
            Err(error @ StoreError::Corrupt { .. }) => tracing::error!(
                %tenant,
                %run,
                error = &error as &dyn std::error::Error,
                "events that a run did not come to are not looked at again"
            ),
            Err(error) => return Err(error),
        }
    }
    sqlx::query(
        "DELETE FROM run_repository WHERE tenant_id = ?1 AND run_id = ?2 AND outcome IN ('listed', 'unchanged')",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(run.as_bytes().as_slice())
    .execute(&mut **tx)
    .await
    .during(ACTION)?;
    Ok(())
}

/// The account of an open run, from what was committed and reported so far by all of its attempts.
pub(super) async fn counted(
    connection: &mut SqliteConnection,
    tenant: TenantId,
    run: RunId,
) -> Result<Coverage, StoreError> {
    let rows = sqlx::query(
        "SELECT outcome, count(*) AS repositories, sum(tags) AS tags, sum(left_out) AS left_out FROM run_repository
         WHERE tenant_id = ?1 AND run_id = ?2 GROUP BY outcome",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(run.as_bytes().as_slice())
    .fetch_all(connection)
    .await
    .during("count a run's repositories")?;
    let mut coverage = Coverage::default();
    for row in &rows {
        let row = Columns::of("run_repository", row);
        let repositories = row.number("repositories")?;
        coverage.tags += row.number("tags")?;
        coverage.tags_filtered += row.number("left_out")?;
        coverage.count(row.text("outcome")?, repositories);
    }
    Ok(coverage)
}
