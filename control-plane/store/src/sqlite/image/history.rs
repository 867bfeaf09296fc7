//! The ledger.

use portolan_shared::model::{RegistryId, RepositoryName, RunId, TagName, TenantId};
use sqlx::sqlite::SqliteRow;

use super::super::columns::Columns;
use super::super::failure::During as _;
use super::super::{SqliteStore, keyset};
use crate::{LedgerChange, LedgerRow, Page, PageRequest, StoreError};

pub(super) async fn list(
    store: &SqliteStore,
    tenant: TenantId,
    registry: RegistryId,
    repository: &RepositoryName,
    tag: Option<&TagName>,
    page: &PageRequest,
) -> Result<Page<LedgerRow>, StoreError> {
    let (entry, before) = match keyset::after::<(i64, String)>(page)? {
        Some((entry, tag)) => (entry, Some(tag)),
        None => (i64::MAX, None),
    };
    // One statement for each index. Rows of one entry come in reverse order of tags, as the index has them.
    let sql = if tag.is_some() {
        "SELECT ledger.*, ledger_entry.run_id, ledger_entry.noticed_at, ledger_entry.not_before
         FROM repository CROSS JOIN ledger INDEXED BY ledger_tag CROSS JOIN ledger_entry
         WHERE repository.tenant_id = ?1 AND repository.registry_id = ?2 AND repository.name = ?3
           AND ledger.tenant_id = ?1 AND ledger.repository_no = repository.repository_no AND ledger.tag = ?4
           AND ledger.entry_no < ?5
           AND ledger_entry.tenant_id = ?1 AND ledger_entry.repository_no = repository.repository_no
           AND ledger_entry.entry_no = ledger.entry_no
         ORDER BY ledger.entry_no DESC LIMIT ?7"
    } else {
        "SELECT ledger.*, ledger_entry.run_id, ledger_entry.noticed_at, ledger_entry.not_before
         FROM repository CROSS JOIN ledger CROSS JOIN ledger_entry
         WHERE repository.tenant_id = ?1 AND repository.registry_id = ?2 AND repository.name = ?3 AND ?4 IS NULL
           AND ledger.tenant_id = ?1 AND ledger.repository_no = repository.repository_no
           AND ledger.entry_no <= ?5 AND (?6 IS NULL OR (ledger.entry_no, ledger.tag) < (?5, ?6))
           AND ledger_entry.tenant_id = ?1 AND ledger_entry.repository_no = repository.repository_no
           AND ledger_entry.entry_no = ledger.entry_no
         ORDER BY ledger.entry_no DESC, ledger.tag DESC LIMIT ?7"
    };
    let rows = sqlx::query(sql)
        .bind(tenant.as_bytes().as_slice())
        .bind(registry.as_bytes().as_slice())
        .bind(repository.as_str())
        .bind(tag.map(TagName::as_str))
        .bind(entry)
        .bind(before)
        .bind(keyset::rows_wanted(page))
        .fetch_all(store.reader())
        .await
        .during("read the ledger")?;
    let lines = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let lines = keyset::page(page, lines, |(entry, line)| {
        (*entry, line.tag.as_str().to_owned())
    })?;
    Ok(Page {
        items: lines.items.into_iter().map(|(_, line)| line).collect(),
        next: lines.next,
    })
}

fn read(row: &SqliteRow) -> Result<(i64, LedgerRow), StoreError> {
    let row = Columns::of("ledger", row);
    let change = match (row.opt_digest("digest_before")?, row.opt_digest("digest_after")?) {
        (None, Some(digest)) => LedgerChange::Appeared(digest),
        (Some(from), Some(to)) => LedgerChange::Moved { from, to },
        (Some(digest), None) if row.get("left_out")? => LedgerChange::LeftOut(digest),
        (Some(digest), None) => LedgerChange::Vanished(digest),
        (None, None) => return Err(row.corrupt("digest_after")),
    };
    let line = LedgerRow {
        tag: row.text("tag")?,
        change,
        noticed_at: row.time("noticed_at")?,
        not_before: row.opt_time("not_before")?,
        run: row.bytes("run_id", RunId::from_slice)?,
    };
    Ok((row.get("entry_no")?, line))
}
