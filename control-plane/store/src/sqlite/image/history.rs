//! The ledger.

use jiff::Timestamp;
use portolan_shared::model::{RegistryId, RepositoryName, RunId, SensorId, TagName, TenantId};
use sqlx::sqlite::SqliteRow;

use super::super::columns::Columns;
use super::super::failure::During as _;
use super::super::{SqliteStore, keyset};
use crate::{Learnt, LedgerChange, LedgerRow, Page, PageRequest, StoreError};

/// When a look began by which the tag of a line of `ledger` was changed the time before that: it may be younger than the last at the whole
/// repository. The parameter ?1 is the tenant.
macro_rules! changed_before {
    () => {
        "(SELECT coalesce(past.seen_at, past.noticed_at)
          FROM ledger AS earlier INDEXED BY ledger_tag CROSS JOIN ledger_entry AS past
          WHERE earlier.tenant_id = ?1 AND earlier.repository_no = ledger.repository_no AND earlier.tag = ledger.tag
            AND earlier.entry_no < ledger.entry_no
            AND past.tenant_id = ?1 AND past.repository_no = ledger.repository_no AND past.entry_no = earlier.entry_no
          ORDER BY earlier.entry_no DESC LIMIT 1) AS changed_before "
    };
}
pub(in super::super) use changed_before;

/// What is read of each line.
macro_rules! lines {
    ($from_and_rest:literal) => {
        concat!(
            "SELECT ledger.*, ledger_entry.run_id, ledger_entry.noticed_at, ledger_entry.not_before, ledger_entry.learnt,
                    ledger_entry.sensor_id,
                    (SELECT name FROM sensor WHERE sensor.tenant_id = ?1 AND sensor.sensor_id = ledger_entry.sensor_id) AS sensor_name, ",
            changed_before!(),
            $from_and_rest
        )
    };
}

// One statement for each index. Rows of one entry come in reverse order of tags, as the index has them.
const OF_TAG: &str = lines!(
    "FROM repository CROSS JOIN ledger INDEXED BY ledger_tag CROSS JOIN ledger_entry
     WHERE repository.tenant_id = ?1 AND repository.registry_id = ?2 AND repository.name = ?3
       AND ledger.tenant_id = ?1 AND ledger.repository_no = repository.repository_no AND ledger.tag = ?4
       AND ledger.entry_no < ?5
       AND ledger_entry.tenant_id = ?1 AND ledger_entry.repository_no = repository.repository_no
       AND ledger_entry.entry_no = ledger.entry_no
     ORDER BY ledger.entry_no DESC LIMIT ?7"
);
const OF_ALL: &str = lines!(
    "FROM repository CROSS JOIN ledger CROSS JOIN ledger_entry
     WHERE repository.tenant_id = ?1 AND repository.registry_id = ?2 AND repository.name = ?3 AND ?4 IS NULL
       AND ledger.tenant_id = ?1 AND ledger.repository_no = repository.repository_no
       AND ledger.entry_no <= ?5 AND (?6 IS NULL OR (ledger.entry_no, ledger.tag) < (?5, ?6))
       AND ledger_entry.tenant_id = ?1 AND ledger_entry.repository_no = repository.repository_no
       AND ledger_entry.entry_no = ledger.entry_no
     ORDER BY ledger.entry_no DESC, ledger.tag DESC LIMIT ?7"
);

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
    let sql = if tag.is_some() { OF_TAG } else { OF_ALL };
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
    let noticed_at = row.time("noticed_at")?;
    let line = LedgerRow {
        tag: row.text("tag")?,
        change: ledger_change(&row)?,
        noticed_at,
        not_before: not_before(&row, noticed_at)?,
        learnt: learnt(&row)?,
    };
    Ok((row.get("entry_no")?, line))
}

/// What a line says.
pub(in super::super) fn ledger_change(row: &Columns<'_>) -> Result<LedgerChange, StoreError> {
    Ok(
        match (row.opt_digest("digest_before")?, row.opt_digest("digest_after")?) {
            (None, Some(digest)) => LedgerChange::Appeared(digest),
            (Some(from), Some(to)) => LedgerChange::Moved { from, to },
            (Some(digest), None) if row.get("left_out")? => LedgerChange::LeftOut(digest),
            (Some(digest), None) => LedgerChange::Vanished(digest),
            (None, None) => return Err(row.corrupt("digest_after")),
        },
    )
}

/// When the tag was last known to be as it was: when all of its repository was last seen, or when it was changed the last time before, by a look
/// at a part of it. Of a time that lies behind the change, because the clock was set back in between, nothing follows.
pub(in super::super) fn not_before(
    row: &Columns<'_>,
    noticed_at: Timestamp,
) -> Result<Option<Timestamp>, StoreError> {
    let known = |column| -> Result<Option<Timestamp>, StoreError> {
        Ok(row.opt_time(column)?.filter(|at| *at <= noticed_at))
    };
    Ok(known("not_before")?.max(known("changed_before")?))
}

/// How it was learnt.
pub(in super::super) fn learnt(row: &Columns<'_>) -> Result<Learnt, StoreError> {
    Ok(Learnt {
        trigger: row.opt_text("learnt")?,
        run: row.bytes("run_id", RunId::from_slice)?,
        sensor: row.opt_bytes("sensor_id", SensorId::from_slice)?,
        sensor_name: row.get("sensor_name")?,
    })
}
