//! Tags.

use portolan_shared::model::{RegistryId, RepositoryName, TagName, TenantId};
use sqlx::sqlite::SqliteRow;

use super::super::columns::Columns;
use super::super::failure::During as _;
use super::super::{SqliteStore, keyset, media_type};
use crate::{Page, PageRequest, StoreError, TagRecord};

pub(super) async fn list(
    store: &SqliteStore,
    tenant: TenantId,
    registry: RegistryId,
    repository: &RepositoryName,
    page: &PageRequest,
) -> Result<Page<TagRecord>, StoreError> {
    let after = keyset::after::<String>(page)?.unwrap_or_default();
    let rows = sqlx::query(
        "SELECT tag.tag, tag.digest, coalesce(tag.media_type, manifest.media_type) AS media_type,
                iif(tag.size = 0, coalesce(manifest.size, 0), tag.size) AS size, manifest.kind, tag.pushed_at,
                tag.first_seen_at, tag.since
         FROM repository CROSS JOIN tag
         LEFT JOIN manifest ON manifest.tenant_id = ?1 AND manifest.digest = tag.digest
         WHERE repository.tenant_id = ?1 AND repository.registry_id = ?2 AND repository.name = ?3
           AND tag.tenant_id = ?1 AND tag.repository_no = repository.repository_no AND tag.tag > ?4
         ORDER BY tag.tag LIMIT ?5",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(registry.as_bytes().as_slice())
    .bind(repository.as_str())
    .bind(after)
    .bind(keyset::rows_wanted(page))
    .fetch_all(store.reader())
    .await
    .during("list tags")?;
    let tags = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    keyset::page(page, tags, |last| last.tag.as_str().to_owned())
}

pub(super) async fn one(
    store: &SqliteStore,
    tenant: TenantId,
    registry: RegistryId,
    repository: &RepositoryName,
    tag: &TagName,
) -> Result<Option<TagRecord>, StoreError> {
    let row = sqlx::query(
        "SELECT tag.tag, tag.digest, coalesce(tag.media_type, manifest.media_type) AS media_type,
                iif(tag.size = 0, coalesce(manifest.size, 0), tag.size) AS size, manifest.kind, tag.pushed_at,
                tag.first_seen_at, tag.since
         FROM repository CROSS JOIN tag
         LEFT JOIN manifest ON manifest.tenant_id = ?1 AND manifest.digest = tag.digest
         WHERE repository.tenant_id = ?1 AND repository.registry_id = ?2 AND repository.name = ?3
           AND tag.tenant_id = ?1 AND tag.repository_no = repository.repository_no AND tag.tag = ?4",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(registry.as_bytes().as_slice())
    .bind(repository.as_str())
    .bind(tag.as_str())
    .fetch_optional(store.reader())
    .await
    .during("find a tag")?;
    row.as_ref().map(read).transpose()
}

fn read(row: &SqliteRow) -> Result<TagRecord, StoreError> {
    let row = Columns::of("tag", row);
    Ok(TagRecord {
        tag: row.text("tag")?,
        digest: row.digest("digest")?,
        media_type: media_type::column(&row, "media_type")?,
        size: row.number("size")?,
        kind: row.opt_text("kind")?,
        pushed_at: row.opt_time("pushed_at")?,
        first_seen_at: row.time("first_seen_at")?,
        since: row.time("since")?,
    })
}
