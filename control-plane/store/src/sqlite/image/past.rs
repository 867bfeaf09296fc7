//! Tags as they were at some time.

use jiff::Timestamp;
use portolan_shared::model::{RegistryId, RepositoryName, TenantId};
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

use super::super::columns::{Columns, millis};
use super::super::failure::During as _;
use super::super::{SqliteStore, keyset, media_type};
use crate::{PageRequest, Past, PastPage, PastTag, StoreError};

const READ: &str = "read what was";

/// Since when the past of a tenant is known; none if nothing was forgotten.
pub(super) async fn known_from(
    connection: &mut SqliteConnection,
    tenant: TenantId,
) -> Result<Option<Timestamp>, StoreError> {
    let row = sqlx::query("SELECT history_from FROM tenant WHERE tenant_id = ?1")
        .bind(tenant.as_bytes().as_slice())
        .fetch_optional(connection)
        .await
        .during(READ)?;
    row.map_or(Ok(None), |row| {
        Columns::of("tenant", &row).opt_time("history_from")
    })
}

/// What is known of the past of a repository: since when there is anything, and all of it. None if it is unknown.
async fn known(
    connection: &mut SqliteConnection,
    (tenant, registry): (TenantId, RegistryId),
    repository: &RepositoryName,
) -> Result<Option<(Timestamp, Option<Timestamp>)>, StoreError> {
    let row = sqlx::query(
        "SELECT first_seen_at, known_from FROM repository WHERE tenant_id = ?1 AND registry_id = ?2 AND name = ?3",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(registry.as_bytes().as_slice())
    .bind(repository.as_str())
    .fetch_optional(connection)
    .await
    .during(READ)?;
    row.map(|row| {
        let row = Columns::of("repository", &row);
        Ok((row.time("first_seen_at")?, row.opt_time("known_from")?))
    })
    .transpose()
}

/// The last line of each tag up to the last entry of that time: with `max`, SQLite takes the other columns from the row that has it. The index
/// gives tags and their lines in order.
pub(in super::super) const AT: &str = "SELECT line.tag, line.digest_after, entry.noticed_at, manifest.media_type, coalesce(manifest.size, 0) AS size, manifest.kind
     FROM (SELECT ledger.repository_no, ledger.tag, max(ledger.entry_no) AS entry_no, ledger.digest_after
           FROM repository CROSS JOIN ledger INDEXED BY ledger_tag
           WHERE repository.tenant_id = ?1 AND repository.registry_id = ?2 AND repository.name = ?3
             AND ledger.tenant_id = ?1 AND ledger.repository_no = repository.repository_no AND ledger.tag > ?5
             AND ledger.entry_no <= (SELECT max(entry_no) FROM ledger_entry WHERE ledger_entry.tenant_id = ?1
                                        AND ledger_entry.repository_no = repository.repository_no AND ledger_entry.noticed_at <= ?4)
           GROUP BY ledger.tag HAVING ledger.digest_after IS NOT NULL ORDER BY ledger.tag LIMIT ?6) AS line
     CROSS JOIN ledger_entry AS entry
     LEFT JOIN manifest ON manifest.tenant_id = ?1 AND manifest.digest = line.digest_after
     WHERE entry.tenant_id = ?1 AND entry.repository_no = line.repository_no AND entry.entry_no = line.entry_no
     ORDER BY line.tag";

pub(super) async fn tags(
    store: &SqliteStore,
    (tenant, registry): (TenantId, RegistryId),
    repository: &RepositoryName,
    at: Timestamp,
    page: &PageRequest,
) -> Result<Past<PastPage<PastTag>>, StoreError> {
    let after = keyset::after::<String>(page)?.unwrap_or_default();
    let mut tx = store.read().await?;
    if let Some(from) = known_from(&mut tx, tenant).await?
        && at < from
    {
        return Ok(Past::Forgotten(from));
    }
    let known_from = match known(&mut tx, (tenant, registry), repository).await? {
        Some((first, _)) if at < first => return Ok(Past::NotYet(first)),
        Some((_, known_from)) => known_from,
        None => None,
    };
    let rows = sqlx::query(AT)
        .bind(tenant.as_bytes().as_slice())
        .bind(registry.as_bytes().as_slice())
        .bind(repository.as_str())
        .bind(millis(at))
        .bind(after)
        .bind(keyset::rows_wanted(page))
        .fetch_all(&mut *tx)
        .await
        .during(READ)?;
    let tags = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let page = keyset::page(page, tags, |last| last.tag.as_str().to_owned())?;
    Ok(Past::Known(PastPage { page, known_from }))
}

fn read(row: &SqliteRow) -> Result<PastTag, StoreError> {
    let row = Columns::of("ledger", row);
    Ok(PastTag {
        tag: row.text("tag")?,
        digest: row.digest("digest_after")?,
        since: row.time("noticed_at")?,
        media_type: media_type::column(&row, "media_type")?,
        size: row.number("size")?,
        kind: row.opt_text("kind")?,
    })
}
