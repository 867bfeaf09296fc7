//! Every place where a digest is.
//!
//! First the digests whose tags count: the digest itself, what lists it or has it as its config, what it refers to. These are few.
//! Then each repository in turn is asked for tags that point to one of them, which is one search in an index for each.

use std::collections::BTreeMap;

use portolan_shared::model::{Digest, RegistryId, RegistryName, TenantId, limits};
use sqlx::SqliteConnection;

use super::super::columns::Columns;
use super::super::failure::During as _;
use super::super::rows::{self, hex};
use super::super::{SqliteStore, keyset};
use super::repositories::registries_from;
use crate::{PageRequest, Placement, PlacementVia, Placements, StoreError};

const FIND: &str = "find where a digest is";
/// Digests whose tags are looked for. A manifest in more indexes than this is found by way of the first of them alone, and it is said that
/// there are more.
const TARGETS: i64 = 1_000;

pub(super) async fn list(
    store: &SqliteStore,
    tenant: TenantId,
    digest: &Digest,
    page: &PageRequest,
) -> Result<Placements, StoreError> {
    let after = keyset::after::<(String, String, String)>(page)?.unwrap_or_default();
    let mut tx = store.read().await?;
    let (targets, cut) = targets(&mut tx, tenant, digest).await?;
    let mut search = Search {
        tenant,
        wanted: keyset::rows_wanted(page),
        digests: rows::array(targets.keys().map(|digest| hex(digest)))?,
        targets,
        found: Vec::new(),
    };
    for named in registries_from(&mut tx, tenant, &after.0).await? {
        let (repository, tag) = if named.name.as_str() == after.0 {
            (after.1.as_str(), after.2.as_str())
        } else {
            ("", "")
        };
        search
            .registry(&mut tx, named.registry, &named.name, repository, tag)
            .await?;
    }
    let page = keyset::page(page, search.found, |last| {
        (
            last.registry_name.as_str().to_owned(),
            last.repository.as_str().to_owned(),
            last.tag.as_str().to_owned(),
        )
    })?;
    Ok(Placements { page, cut })
}

/// The digests whose tags count, in stored form, with the way from there to the digest that was asked for; and whether there are more.
async fn targets(
    connection: &mut SqliteConnection,
    tenant: TenantId,
    digest: &Digest,
) -> Result<(BTreeMap<Vec<u8>, PlacementVia>, bool), StoreError> {
    let rows: Vec<(Vec<u8>, i64, i64)> = sqlx::query_as(
        "WITH RECURSIVE
             -- 0: the digest itself; 1: what has it below; 2: what it refers to, and what has that below.
             up(digest, via, depth) AS (
                 SELECT ?2, 0, 0
                 UNION SELECT digest, 1, 0 FROM manifest WHERE tenant_id = ?1 AND config = ?2
                 UNION SELECT subject, 2, 0 FROM manifest WHERE tenant_id = ?1 AND digest = ?2 AND subject IS NOT NULL
                 UNION SELECT manifest_parent.parent, max(up.via, 1), up.depth + 1
                       FROM up CROSS JOIN manifest_parent
                       WHERE manifest_parent.tenant_id = ?1 AND manifest_parent.child = up.digest AND up.depth < ?3
                 LIMIT ?4)
         SELECT digest, min(via), count(*) FROM up GROUP BY digest",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(digest.to_bytes())
    .bind(i64::try_from(limits::INDEX_DEPTH).unwrap_or(i64::MAX))
    .bind(TARGETS + 1)
    .fetch_all(connection)
    .await
    .during(FIND)?;
    let cut = rows.iter().map(|(_, _, ways)| ways).sum::<i64>() > TARGETS;
    let targets = rows
        .into_iter()
        .map(|(digest, via, _)| {
            let via = match via {
                0 => PlacementVia::Tag,
                1 => PlacementVia::Parent,
                _ => PlacementVia::Subject,
            };
            (digest, via)
        })
        .collect();
    Ok((targets, cut))
}

struct Search {
    tenant: TenantId,
    wanted: i64,
    /// The keys of `targets`, for statements.
    digests: String,
    targets: BTreeMap<Vec<u8>, PlacementVia>,
    found: Vec<Placement>,
}

impl Search {
    fn still_wanted(&self) -> i64 {
        self.wanted
            .saturating_sub(i64::try_from(self.found.len()).unwrap_or(i64::MAX))
    }

    /// Adds the places in one registry that come after a repository and tag.
    async fn registry(
        &mut self,
        connection: &mut SqliteConnection,
        registry: RegistryId,
        name: &RegistryName,
        after_repository: &str,
        after_tag: &str,
    ) -> Result<(), StoreError> {
        if self.still_wanted() <= 0 {
            return Ok(());
        }
        // Each of these has at least one place, but the first may have none after the tag.
        let rows = sqlx::query(
            "WITH target(digest) AS MATERIALIZED (SELECT unhex(value) FROM json_each(?4))
             SELECT repository_no, name FROM repository
             WHERE tenant_id = ?1 AND registry_id = ?2 AND name >= ?3
               AND EXISTS (SELECT 1 FROM target CROSS JOIN tag
                            WHERE tag.tenant_id = ?1 AND tag.repository_no = repository.repository_no
                              AND tag.digest = target.digest)
             ORDER BY name LIMIT ?5",
        )
        .bind(self.tenant.as_bytes().as_slice())
        .bind(registry.as_bytes().as_slice())
        .bind(after_repository)
        .bind(&self.digests)
        .bind(self.still_wanted().saturating_add(1))
        .fetch_all(&mut *connection)
        .await
        .during(FIND)?;
        for row in &rows {
            let row = Columns::of("repository", row);
            let repository = row.text::<portolan_shared::model::RepositoryName>("name")?;
            let after = if repository.as_str() == after_repository {
                after_tag
            } else {
                ""
            };
            let wanted = self.still_wanted();
            if wanted <= 0 {
                break;
            }
            let tags = sqlx::query(
                "SELECT tag, digest FROM tag
                 WHERE tenant_id = ?1 AND repository_no = ?2 AND tag > ?3
                   AND digest IN (SELECT unhex(value) FROM json_each(?4))
                 ORDER BY tag LIMIT ?5",
            )
            .bind(self.tenant.as_bytes().as_slice())
            .bind(row.get::<i64>("repository_no")?)
            .bind(after)
            .bind(&self.digests)
            .bind(wanted)
            .fetch_all(&mut *connection)
            .await
            .during(FIND)?;
            for tag in &tags {
                let tag = Columns::of("tag", tag);
                let via = self.targets.get(tag.get::<&[u8]>("digest")?);
                self.found.push(Placement {
                    registry_name: name.clone(),
                    repository: repository.clone(),
                    tag: tag.text("tag")?,
                    via: *via.ok_or_else(|| tag.corrupt("digest"))?,
                });
            }
        }
        Ok(())
    }
}
