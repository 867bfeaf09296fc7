//! Runs as people see them.

use jiff::{SignedDuration, Timestamp};
use portolan_shared::model::{
    CoverageEntry, Finding, FindingCode, RegistryId, RepositoryOutcome, RunId, RunState, Scope, SensorId,
    TenantId,
};
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

use super::super::columns::{Columns, millis};
use super::super::failure::During as _;
use super::super::rows::hex;
use super::super::{SqliteStore, keyset};
use super::{attempt, reasons};
use crate::{Page, PageRequest, RunChanges, RunFilter, RunRecord, StoreError};

pub(super) async fn run(
    store: &SqliteStore,
    tenant: TenantId,
    id: RunId,
) -> Result<Option<RunRecord>, StoreError> {
    let mut tx = store.read().await?;
    let row = sqlx::query(
        "SELECT run.*, registry.name AS registry_name FROM run JOIN registry USING (tenant_id, registry_id)
         WHERE run.tenant_id = ?1 AND run.run_id = ?2",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(id.as_bytes().as_slice())
    .fetch_optional(&mut *tx)
    .await
    .during("find a run")?;
    match row {
        Some(row) => read(&mut tx, &row).await.map(Some),
        None => Ok(None),
    }
}

pub(super) async fn runs(
    store: &SqliteStore,
    tenant: TenantId,
    filter: &RunFilter,
    page: &PageRequest,
) -> Result<Page<RunRecord>, StoreError> {
    let (at, id) = match keyset::after::<(i64, String)>(page)? {
        Some((at, id)) => (at, Some(id)),
        None => (i64::MAX, None),
    };
    // Two statements, so that each has an index that gives the rows in order.
    let sql = if filter.registry.is_some() {
        "SELECT run.*, registry.name AS registry_name FROM run CROSS JOIN registry
         WHERE run.tenant_id = ?1 AND run.registry_id = ?2 AND run.queued_at <= ?3
           AND (?4 IS NULL OR (run.queued_at, run.run_id) < (?3, unhex(?4))) AND (?5 IS NULL OR run.state = ?5)
           AND registry.tenant_id = ?1 AND registry.registry_id = run.registry_id
         ORDER BY run.queued_at DESC, run.run_id DESC LIMIT ?6"
    } else {
        "SELECT run.*, registry.name AS registry_name FROM run CROSS JOIN registry
         WHERE run.tenant_id = ?1 AND ?2 IS NULL AND run.queued_at <= ?3
           AND (?4 IS NULL OR (run.queued_at, run.run_id) < (?3, unhex(?4))) AND (?5 IS NULL OR run.state = ?5)
           AND registry.tenant_id = ?1 AND registry.registry_id = run.registry_id
         ORDER BY run.queued_at DESC, run.run_id DESC LIMIT ?6"
    };
    let mut tx = store.read().await?;
    let rows = sqlx::query(sql)
        .bind(tenant.as_bytes().as_slice())
        .bind(filter.registry.map(|registry| registry.as_bytes().to_vec()))
        .bind(at)
        .bind(id)
        .bind(filter.state.map(RunState::as_str))
        .bind(keyset::rows_wanted(page))
        .fetch_all(&mut *tx)
        .await
        .during("list runs")?;
    let mut runs = Vec::with_capacity(rows.len());
    for row in &rows {
        runs.push(read(&mut tx, row).await?);
    }
    keyset::page(page, runs, |last| {
        (millis(last.queued_at), hex(last.id.as_bytes()))
    })
}

pub(super) async fn coverage(
    store: &SqliteStore,
    tenant: TenantId,
    run: RunId,
    outcome: Option<RepositoryOutcome>,
    page: &PageRequest,
) -> Result<Page<CoverageEntry>, StoreError> {
    let after = keyset::after::<String>(page)?.unwrap_or_default();
    let rows = sqlx::query(
        "SELECT repository, outcome, finding_code, finding_seen, finding_detail FROM run_repository
         WHERE tenant_id = ?1 AND run_id = ?2 AND repository > ?3
           AND EXISTS (SELECT 1 FROM run WHERE tenant_id = ?1 AND run_id = ?2)
           AND iif(?5 IS NULL, outcome NOT IN ('listed', 'unchanged', 'filtered'), outcome = ?5)
         ORDER BY repository LIMIT ?4",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(run.as_bytes().as_slice())
    .bind(after)
    .bind(keyset::rows_wanted(page))
    .bind(outcome.map(RepositoryOutcome::as_str))
    .fetch_all(store.reader())
    .await
    .during("read a run's coverage")?;
    let entries = rows
        .iter()
        .map(|row| {
            let row = Columns::of("run_repository", row);
            let finding = match row.opt_text::<FindingCode>("finding_code")? {
                Some(code) => {
                    let finding = Finding::new(code, row.get("finding_seen")?);
                    let detail: Option<&str> = row.get("finding_detail")?;
                    Some(finding.with_detail(detail.unwrap_or_default()))
                }
                None => None,
            };
            Ok(CoverageEntry {
                repository: row.text("repository")?,
                outcome: row.text("outcome")?,
                finding,
            })
        })
        .collect::<Result<Vec<_>, StoreError>>()?;
    keyset::page(page, entries, |last| last.repository.as_str().to_owned())
}

/// What of its registry a run reads.
pub(in super::super) fn scope(row: &Columns<'_>) -> Result<Scope, StoreError> {
    let lines: Vec<String> = row.json("scope")?;
    Scope::of_lines(&lines).map_err(|_| row.corrupt("scope"))
}

async fn read(connection: &mut SqliteConnection, row: &SqliteRow) -> Result<RunRecord, StoreError> {
    let row = Columns::of("run", row);
    let tenant = row.bytes("tenant_id", TenantId::from_slice)?;
    let id = row.bytes("run_id", RunId::from_slice)?;
    let coverage = match row.opt_json("coverage")? {
        Some(coverage) => coverage,
        None => attempt::counted(connection, tenant, id).await?,
    };
    Ok(RunRecord {
        id,
        tenant,
        registry: row.bytes("registry_id", RegistryId::from_slice)?,
        registry_name: row.text("registry_name")?,
        trigger: row.text("trigger")?,
        scope: scope(&row)?,
        requested_by: row.get("requested_by")?,
        state: row.text("state")?,
        attempt: row.small("attempt")?,
        sensor: row.opt_bytes("sensor_id", SensorId::from_slice)?,
        queued_at: row.time("queued_at")?,
        not_before: row.time("not_before")?,
        behind: row.opt_bytes("behind", RunId::from_slice)?,
        started_at: row.opt_time("started_at")?,
        ended_at: row.opt_time("ended_at")?,
        deadline_at: deadline(&row)?,
        reasons: reasons::of(&row)?,
        more_reasons: row.number("more_reasons")?,
        progress: row.json("progress")?,
        coverage,
        finding: row.opt_json("finding")?,
        changes: RunChanges {
            appeared: row.number("tags_appeared")?,
            moved: row.number("tags_moved")?,
            vanished: row.number("tags_vanished")?,
            left_out: row.number("tags_left_out")?,
        },
        content_stored: row.number("content_stored")?,
    })
}

/// When a run has taken too long. One that waits for the end of a blackout is not leased before it, and has then as much time left as it has now.
fn deadline(row: &Columns<'_>) -> Result<Option<Timestamp>, StoreError> {
    let deadline = row.opt_time("deadline_at")?;
    let (Some(deadline), Some(since)) = (deadline, row.opt_time("put_off_at")?) else {
        return Ok(deadline);
    };
    let waits = row.time("not_before")?.duration_since(since);
    Ok(Some(
        deadline
            .saturating_add(waits.max(SignedDuration::ZERO))
            .unwrap_or(deadline),
    ))
}
