//! Tags as they are now, repository by repository in the order in which they were first seen.

use portolan_shared::model::{RegistryId, TagName, TenantId};

use super::super::SqliteStore;
use super::super::columns::Columns;
use super::super::failure::During as _;
use crate::{FEED_PAGE, PresentTag, StoreError};

/// Both keys are in order: no sorting. The rest of a repository that was begun is found by the key of the tag.
pub(super) const PRESENT: &str = "SELECT repository.repository_no, registry.registry_id, registry.name AS registry_name, repository.name AS repository,
            tag.tag, tag.digest, tag.since
     FROM repository CROSS JOIN registry CROSS JOIN tag
     WHERE repository.tenant_id = ?1 AND repository.repository_no >= ?2 AND repository.tags > 0
       AND (?4 IS NULL OR repository.registry_id = ?4)
       AND registry.tenant_id = ?1 AND registry.registry_id = repository.registry_id
       AND tag.tenant_id = ?1 AND tag.repository_no = repository.repository_no
       AND tag.tag > iif(repository.repository_no = ?2, ?3, '')
     ORDER BY repository.repository_no, tag.tag LIMIT ?5";

pub(super) async fn list(
    store: &SqliteStore,
    tenant: TenantId,
    registry: Option<RegistryId>,
    after: Option<(i64, &TagName)>,
    limit: u32,
) -> Result<Vec<PresentTag>, StoreError> {
    let rows = sqlx::query(PRESENT)
        .bind(tenant.as_bytes().as_slice())
        .bind(after.map_or(0, |(repository, _)| repository))
        .bind(after.map_or("", |(_, tag)| tag.as_str()))
        .bind(registry.as_ref().map(|registry| registry.as_bytes().to_vec()))
        .bind(i64::from(limit.clamp(1, FEED_PAGE)))
        .fetch_all(store.reader())
        .await
        .during("read the tags that there are")?;
    rows.iter()
        .map(|row| {
            let row = Columns::of("tag", row);
            Ok(PresentTag {
                repository_no: row.get("repository_no")?,
                registry: row.bytes("registry_id", RegistryId::from_slice)?,
                registry_name: row.text("registry_name")?,
                repository: row.text("repository")?,
                tag: row.text("tag")?,
                digest: row.digest("digest")?,
                since: row.time("since")?,
            })
        })
        .collect()
}
