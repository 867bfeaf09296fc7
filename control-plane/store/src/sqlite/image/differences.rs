//! What is different in a registry from what was known at some time.

use jiff::Timestamp;
use portolan_shared::model::{RegistryId, RepositoryName, TenantId};
use sqlx::SqliteConnection;

use super::super::columns::{Columns, millis};
use super::super::failure::During as _;
use super::super::{SqliteStore, keyset};
use super::history::ledger_change;
use super::past::known_from;
use crate::{PageRequest, Past, PastPage, StoreError, TagDifference};

const COMPARE: &str = "compare with what was";
/// Repositories that are found in one statement.
const REPOSITORIES: i64 = 500;

/// A repository in which something has happened since.
struct Changed {
    number: i64,
    name: RepositoryName,
    /// The last entry from before.
    entry: i64,
}

pub(super) async fn list(
    store: &SqliteStore,
    (tenant, registry): (TenantId, RegistryId),
    since: Timestamp,
    page: &PageRequest,
) -> Result<Past<PastPage<TagDifference>>, StoreError> {
    let (from, after) = keyset::after::<(String, String)>(page)?.unwrap_or_default();
    let wanted = keyset::rows_wanted(page);
    let mut tx = store.read().await?;
    if let Some(known) = known_from(&mut tx, tenant).await?
        && since < known
    {
        return Ok(Past::Forgotten(known));
    }
    let mut found: Vec<TagDifference> = Vec::new();
    let mut place = (from, Some(after));
    let still_wanted = |found: &[TagDifference]| wanted - i64::try_from(found.len()).unwrap_or(i64::MAX);
    loop {
        let changed = changed_repositories(&mut tx, (tenant, registry), since, &place).await?;
        let more = changed.len() >= usize::try_from(REPOSITORIES).unwrap_or(usize::MAX);
        for repository in &changed {
            if still_wanted(&found) <= 0 {
                break;
            }
            let after = match &place {
                (name, Some(tag)) if name == repository.name.as_str() => tag.as_str(),
                _ => "",
            };
            let wanted = still_wanted(&found);
            found.extend(of_repository(&mut tx, tenant, repository, after, wanted).await?);
        }
        match changed.last() {
            Some(last) if more && still_wanted(&found) > 0 => place = (last.name.as_str().to_owned(), None),
            _ => break,
        }
    }
    let page = keyset::page(page, found, |last| {
        (last.repository.as_str().to_owned(), last.tag.as_str().to_owned())
    })?;
    let known_from = all_known_from(&mut tx, tenant, registry).await?;
    Ok(Past::Known(PastPage { page, known_from }))
}

/// When all of a registry was known for the first time.
async fn all_known_from(
    connection: &mut SqliteConnection,
    tenant: TenantId,
    registry: RegistryId,
) -> Result<Option<Timestamp>, StoreError> {
    let row = sqlx::query("SELECT known_from FROM registry WHERE tenant_id = ?1 AND registry_id = ?2")
        .bind(tenant.as_bytes().as_slice())
        .bind(registry.as_bytes().as_slice())
        .fetch_optional(connection)
        .await
        .during(COMPARE)?;
    row.map_or(Ok(None), |row| {
        Columns::of("registry", &row).opt_time("known_from")
    })
}

/// By name; whether something has happened is known from the time of the latest entry.
pub(in super::super) const REPOSITORIES_CHANGED: &str = "SELECT repository.repository_no, repository.name,
            coalesce((SELECT max(entry.entry_no) FROM ledger_entry AS entry
                      WHERE entry.tenant_id = ?1 AND entry.repository_no = repository.repository_no AND entry.noticed_at <= ?3), 0) AS entry
     FROM repository CROSS JOIN ledger_entry AS latest
     WHERE repository.tenant_id = ?1 AND repository.registry_id = ?2 AND repository.name >= ?4 AND (?5 OR repository.name > ?4)
       AND latest.tenant_id = ?1 AND latest.repository_no = repository.repository_no AND latest.entry_no = repository.entry_no
       AND latest.noticed_at > ?3
     ORDER BY repository.name LIMIT ?6";

/// Those from a name on, or behind it if no tag in it is given.
async fn changed_repositories(
    connection: &mut SqliteConnection,
    (tenant, registry): (TenantId, RegistryId),
    since: Timestamp,
    (name, tag): &(String, Option<String>),
) -> Result<Vec<Changed>, StoreError> {
    let rows = sqlx::query(REPOSITORIES_CHANGED)
        .bind(tenant.as_bytes().as_slice())
        .bind(registry.as_bytes().as_slice())
        .bind(millis(since))
        .bind(name)
        .bind(tag.is_some())
        .bind(REPOSITORIES)
        .fetch_all(connection)
        .await
        .during(COMPARE)?;
    rows.iter()
        .map(|row| {
            let row = Columns::of("repository", row);
            Ok(Changed {
                number: row.get("repository_no")?,
                name: row.text("name")?,
                entry: row.get("entry")?,
            })
        })
        .collect()
}

/// The digest before the first line since then, and that after the last. Lines are read by entry: most of a large repository does not change. The
/// plus keeps the other index away.
pub(in super::super) const DIFFERENCES: &str = "SELECT span.tag, first.digest_before, last.digest_after, last.left_out, entry.noticed_at
     FROM (SELECT ledger.tag, min(ledger.entry_no) AS first, max(ledger.entry_no) AS last FROM ledger
           WHERE ledger.tenant_id = ?1 AND ledger.repository_no = ?2 AND ledger.entry_no > ?3 AND +ledger.tag > ?4
           GROUP BY ledger.tag) AS span
     CROSS JOIN ledger AS first CROSS JOIN ledger AS last CROSS JOIN ledger_entry AS entry
     WHERE first.tenant_id = ?1 AND first.repository_no = ?2 AND first.entry_no = span.first AND first.tag = span.tag
       AND last.tenant_id = ?1 AND last.repository_no = ?2 AND last.entry_no = span.last AND last.tag = span.tag
       AND entry.tenant_id = ?1 AND entry.repository_no = ?2 AND entry.entry_no = span.last
       AND first.digest_before IS NOT last.digest_after
     ORDER BY span.tag LIMIT ?5";

async fn of_repository(
    connection: &mut SqliteConnection,
    tenant: TenantId,
    repository: &Changed,
    after: &str,
    wanted: i64,
) -> Result<Vec<TagDifference>, StoreError> {
    let rows = sqlx::query(DIFFERENCES)
        .bind(tenant.as_bytes().as_slice())
        .bind(repository.number)
        .bind(repository.entry)
        .bind(after)
        .bind(wanted)
        .fetch_all(connection)
        .await
        .during(COMPARE)?;
    rows.iter()
        .map(|row| {
            let row = Columns::of("ledger", row);
            Ok(TagDifference {
                repository: repository.name.clone(),
                tag: row.text("tag")?,
                change: ledger_change(&row)?,
                noticed_at: row.time("noticed_at")?,
            })
        })
        .collect()
}
