//! The rows of a repository's tags, and what the ledger says of them.

use jiff::Timestamp;
use portolan_shared::model::{TagName, TenantId};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, Sqlite, Transaction};

use super::super::columns::millis;
use super::super::failure::During as _;
use super::super::rows;
use super::difference::StoredTag;
use crate::StoreError;

const COMMIT: &str = "commit a repository";

/// The tags of one repository, and the ledger entry that a change of them belongs to.
pub(super) struct TagRows {
    pub(super) tenant: TenantId,
    /// The repository's number.
    pub(super) repository: i64,
    /// The entry's number.
    pub(super) entry: i64,
}

fn stored(row: &SqliteRow) -> Result<StoredTag, sqlx::Error> {
    Ok(StoredTag {
        tag: row.try_get(0)?,
        digest: row.try_get(1)?,
        media_type: row.try_get(2)?,
        size: row.try_get(3)?,
        pushed_at: row.try_get(4)?,
    })
}

impl TagRows {
    /// All of them as they are, by name.
    pub(super) async fn stored(
        &self,
        tx: &mut Transaction<'static, Sqlite>,
    ) -> Result<Vec<StoredTag>, StoreError> {
        sqlx::query(
            "SELECT tag, digest, media_type, size, pushed_at FROM tag WHERE tenant_id = ?1 AND repository_no = ?2 ORDER BY tag",
        )
        .bind(self.tenant.as_bytes().as_slice())
        .bind(self.repository)
        // Read as they come: a hundred thousand rows are not held twice.
        .try_map(|row: SqliteRow| stored(&row))
        .fetch_all(&mut **tx)
        .await
        .during(COMMIT)
    }

    /// Those of them with these names, by name.
    pub(super) async fn stored_of(
        &self,
        tx: &mut Transaction<'static, Sqlite>,
        names: &[TagName],
    ) -> Result<Vec<StoredTag>, StoreError> {
        let names = rows::array(names.iter().map(TagName::as_str))?;
        sqlx::query(
            "SELECT tag, digest, media_type, size, pushed_at FROM tag
             WHERE tenant_id = ?1 AND repository_no = ?2 AND tag IN (SELECT value FROM json_each(?3)) ORDER BY tag",
        )
        .bind(self.tenant.as_bytes().as_slice())
        .bind(self.repository)
        .bind(names)
        .try_map(|row: SqliteRow| stored(&row))
        .fetch_all(&mut **tx)
        .await
        .during(COMMIT)
    }

    /// Writes those of a JSON array, and the ledger. `first` says that there are none yet.
    pub(super) async fn write(
        &self,
        tx: &mut Transaction<'static, Sqlite>,
        first: bool,
        written: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        /// Into an empty repository: nothing to compare with, and the ledger is a copy of what was just written.
        const FIRST: &str = "INSERT INTO tag (tenant_id, repository_no, tag, digest, media_type, size, pushed_at, first_seen_at, since)
             SELECT ?1, ?2, value ->> 0, unhex(value ->> 1), value ->> 2, value ->> 3, value ->> 4, ?4, ?4 FROM jsonb_each(?3);
             INSERT INTO ledger (tenant_id, repository_no, entry_no, tag, digest_before, digest_after)
             SELECT ?1, ?2, ?5, tag, NULL, digest FROM tag WHERE tenant_id = ?1 AND repository_no = ?2 ORDER BY tag";
        const LATER: &str = "INSERT INTO tag (tenant_id, repository_no, tag, digest, media_type, size, pushed_at, first_seen_at, since)
             SELECT ?1, ?2, value ->> 0, unhex(value ->> 1), value ->> 2, value ->> 3, value ->> 4, ?4, ?4
             FROM jsonb_each(?3) WHERE true
             ON CONFLICT DO UPDATE SET
                 digest = excluded.digest, media_type = excluded.media_type, size = excluded.size,
                 pushed_at = excluded.pushed_at, since = iif(digest = excluded.digest, since, excluded.since);
             INSERT INTO ledger (tenant_id, repository_no, entry_no, tag, digest_before, digest_after)
             SELECT ?1, ?2, ?5, value ->> 0, unhex(value ->> 5), unhex(value ->> 1)
             FROM jsonb_each(?3) WHERE value ->> 5 IS NOT value ->> 1";
        sqlx::query(if first { FIRST } else { LATER })
            .bind(self.tenant.as_bytes().as_slice())
            .bind(self.repository)
            .bind(written)
            .bind(millis(now))
            .bind(self.entry)
            .execute(&mut **tx)
            .await
            .during(COMMIT)?;
        Ok(())
    }

    /// Removes those of a JSON array, each with whether it was left out or has vanished.
    pub(super) async fn remove(
        &self,
        tx: &mut Transaction<'static, Sqlite>,
        removed: &str,
    ) -> Result<(), StoreError> {
        const REMOVE: &str = "DELETE FROM tag WHERE tenant_id = ?1 AND repository_no = ?2 AND tag IN (SELECT value ->> 0 FROM jsonb_each(?3));
             INSERT INTO ledger (tenant_id, repository_no, entry_no, tag, digest_before, digest_after, left_out)
             SELECT ?1, ?2, ?4, value ->> 0, unhex(value ->> 1), NULL, value ->> 2 FROM jsonb_each(?3)";
        sqlx::query(REMOVE)
            .bind(self.tenant.as_bytes().as_slice())
            .bind(self.repository)
            .bind(removed)
            .bind(self.entry)
            .execute(&mut **tx)
            .await
            .during(COMMIT)?;
        Ok(())
    }
}
