//! What is to be looked at for what events named.

use std::collections::BTreeSet;

use portolan_shared::model::limits::RUN_SCOPE_REFERENCES;
use portolan_shared::model::{
    Digest, EventSubject, RegistryId, RepositoryName, RepositoryPatterns, TagFilter, TagName, TenantId,
};
use sqlx::{Sqlite, Transaction};

use super::super::columns::{Columns, integer};
use super::super::failure::During as _;
use super::super::run;
use super::waiting::{Tags, Wishes};
use crate::StoreError;

const FIND: &str = "find the tags that an event is about";
/// Runs of one registry that are under way: one that events asked for, and one beside it.
const UNDER_WAY: i64 = 2;

/// A registry, and what is wanted of it.
pub(super) struct Place {
    pub(super) tenant: TenantId,
    pub(super) registry: RegistryId,
    pub(super) repositories: RepositoryPatterns,
    pub(super) tags: TagFilter,
}

impl Place {
    /// What events want to be looked at; what the registry leaves out is not.
    pub(super) async fn wishes(
        &self,
        tx: &mut Transaction<'static, Sqlite>,
        subjects: &[(EventSubject, u32)],
    ) -> Result<Wishes, StoreError> {
        let mut wishes = Wishes::default();
        for (subject, events) in subjects {
            let (repository, tags) = match subject {
                EventSubject::Tag(repository, tag) => (repository, Some(BTreeSet::from([tag.clone()]))),
                EventSubject::Digest(repository, digest) => {
                    (repository, self.of_digest(tx, repository, digest).await?)
                }
                EventSubject::Repository(repository) => {
                    (repository, self.of_repository(tx, repository).await?)
                }
                EventSubject::EveryTag(repository) => (repository, None),
                EventSubject::Registry => continue,
            };
            let tags = tags.map(|mut tags| {
                tags.retain(|tag| self.tags.matches(tag));
                tags
            });
            let nothing = tags.as_ref().is_some_and(BTreeSet::is_empty);
            if !nothing && self.repositories.matches(repository) {
                wishes.add(repository, tags, u64::from(*events));
            }
        }
        Ok(wishes)
    }

    /// The tags that point to a digest. If none is known to, what runs look at: one of them may be about to.
    async fn of_digest(
        &self,
        tx: &mut Transaction<'static, Sqlite>,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Tags, StoreError> {
        let known = sqlx::query(
            "SELECT tag.tag FROM repository CROSS JOIN tag
             WHERE repository.tenant_id = ?1 AND repository.registry_id = ?2 AND repository.name = ?3
               AND tag.tenant_id = ?1 AND tag.repository_no = repository.repository_no AND tag.digest = ?4
             LIMIT ?5",
        )
        .bind(self.tenant.as_bytes().as_slice())
        .bind(self.registry.as_bytes().as_slice())
        .bind(repository.as_str())
        .bind(digest.to_bytes())
        .bind(integer(RUN_SCOPE_REFERENCES as u64 + 1))
        .fetch_all(&mut **tx)
        .await
        .during(FIND)?;
        if known.is_empty() {
            return self.under_way(tx, repository).await;
        }
        bounded(&known)
    }

    /// What is being looked at in a repository: by the open run that events asked for, and by any other that has begun. What the latter have listed
    /// and not said yet may be what has gone since.
    async fn under_way(
        &self,
        tx: &mut Transaction<'static, Sqlite>,
        repository: &RepositoryName,
    ) -> Result<Tags, StoreError> {
        let rows = sqlx::query(
            "SELECT scope FROM run INDEXED BY run_beside WHERE tenant_id = ?1 AND registry_id = ?2 AND state IN ('queued', 'leased') AND beside = 1
             UNION ALL
             SELECT scope FROM run INDEXED BY run_open WHERE tenant_id = ?1 AND registry_id = ?2 AND state IN ('queued', 'leased') AND beside = 0 AND +state = 'leased'
             LIMIT ?3",
        )
        .bind(self.tenant.as_bytes().as_slice())
        .bind(self.registry.as_bytes().as_slice())
        .bind(UNDER_WAY)
        .fetch_all(&mut **tx)
        .await
        .during(FIND)?;
        let mut tags = BTreeSet::new();
        for row in &rows {
            let scope = run::scope(&Columns::of("run", row))?;
            if scope.is_whole() || scope.repositories.contains(repository) {
                return Ok(None);
            }
            let looked_at = scope.references.into_iter();
            let here = looked_at.filter(|reference| reference.repository == *repository);
            tags.extend(here.map(|reference| reference.tag));
        }
        Ok(Some(tags))
    }

    /// The tags that are known of a repository; all that there are if none is, or too many are.
    async fn of_repository(
        &self,
        tx: &mut Transaction<'static, Sqlite>,
        repository: &RepositoryName,
    ) -> Result<Tags, StoreError> {
        let known = sqlx::query(
            "SELECT tag.tag FROM repository CROSS JOIN tag
             WHERE repository.tenant_id = ?1 AND repository.registry_id = ?2 AND repository.name = ?3
               AND tag.tenant_id = ?1 AND tag.repository_no = repository.repository_no
             LIMIT ?4",
        )
        .bind(self.tenant.as_bytes().as_slice())
        .bind(self.registry.as_bytes().as_slice())
        .bind(repository.as_str())
        .bind(integer(RUN_SCOPE_REFERENCES as u64 + 1))
        .fetch_all(&mut **tx)
        .await
        .during(FIND)?;
        if known.is_empty() {
            return Ok(None);
        }
        bounded(&known)
    }
}

/// The tags of rows; none if there are more than one run may be narrowed to.
fn bounded(rows: &[sqlx::sqlite::SqliteRow]) -> Result<Tags, StoreError> {
    if rows.len() > RUN_SCOPE_REFERENCES {
        return Ok(None);
    }
    let tags = rows.iter().map(|row| Columns::of("tag", row).text("tag"));
    tags.collect::<Result<BTreeSet<TagName>, _>>().map(Some)
}
