//! Whole tag sets of many repositories.

use portolan_shared::model::{RegistryId, RepositoryName, TenantId};
use sqlx::sqlite::SqliteRow;

use super::super::columns::Columns;
use super::super::failure::During as _;
use super::super::{SqliteStore, media_type, rows};
use crate::{StoreError, TagObservation};

pub(super) async fn list(
    store: &SqliteStore,
    tenant: TenantId,
    registry: RegistryId,
    repositories: &[RepositoryName],
) -> Result<Vec<Vec<TagObservation>>, StoreError> {
    let names = rows::array(repositories.iter().map(RepositoryName::as_str))?;
    let found = sqlx::query(
        "SELECT named.key AS position, tag.tag, tag.digest, tag.media_type, tag.size, tag.pushed_at
         FROM json_each(?3) AS named CROSS JOIN repository CROSS JOIN tag
         WHERE repository.tenant_id = ?1 AND repository.registry_id = ?2 AND repository.name = named.value
           AND tag.tenant_id = ?1 AND tag.repository_no = repository.repository_no",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(registry.as_bytes().as_slice())
    .bind(names)
    // Read as they come: a hundred thousand rows are not held twice.
    .try_map(|row: SqliteRow| Ok(read(&row)))
    .fetch_all(store.reader())
    .await
    .during("read tag sets")?;
    let mut sets = vec![Vec::new(); repositories.len()];
    for row in found {
        let (position, tag) = row?;
        if let Some(set) = sets.get_mut(position) {
            set.push(tag);
        }
    }
    Ok(sets)
}

fn read(row: &SqliteRow) -> Result<(usize, TagObservation), StoreError> {
    let row = Columns::of("tag", row);
    let position = usize::try_from(row.number("position")?).unwrap_or(usize::MAX);
    let tag = TagObservation {
        tag: row.text("tag")?,
        digest: row.digest("digest")?,
        media_type: media_type::column(&row, "media_type")?,
        size: row.number("size")?,
        pushed_at: row.opt_time("pushed_at")?,
    };
    Ok((position, tag))
}
