//! What is held of manifests and configs.

use portolan_shared::model::{Digest, TenantId, limits};

use super::super::columns::{Columns, integer};
use super::super::failure::During as _;
use super::super::{SqliteStore, media_type};
use crate::{ManifestSummary, Referrer, Referrers, StoreError};

pub(super) async fn one(
    store: &SqliteStore,
    tenant: TenantId,
    digest: &Digest,
) -> Result<Option<ManifestSummary>, StoreError> {
    let row = sqlx::query("SELECT * FROM manifest WHERE tenant_id = ?1 AND digest = ?2")
        .bind(tenant.as_bytes().as_slice())
        .bind(digest.to_bytes())
        .fetch_optional(store.reader())
        .await
        .during("find a manifest")?;
    row.map(|row| {
        let row = Columns::of("manifest", &row);
        Ok(ManifestSummary {
            digest: row.digest("digest")?,
            media_type: media_type::column(&row, "media_type")?,
            kind: row.opt_text("kind")?,
            artifact_type: media_type::column(&row, "artifact_type")?,
            size: row.number("size")?,
            bytes: row.get("bytes")?,
            unavailable: row.opt_text("unavailable")?,
            first_seen_at: row.time("first_seen_at")?,
        })
    })
    .transpose()
}

pub(super) async fn image_facts(
    store: &SqliteStore,
    tenant: TenantId,
    config: &Digest,
) -> Result<Option<Vec<u8>>, StoreError> {
    let facts: Option<Option<Vec<u8>>> =
        sqlx::query_scalar("SELECT facts FROM image_facts WHERE tenant_id = ?1 AND digest = ?2")
            .bind(tenant.as_bytes().as_slice())
            .bind(config.to_bytes())
            .fetch_optional(store.reader())
            .await
            .during("find image facts")?;
    Ok(facts.flatten())
}

pub(super) async fn referrers(
    store: &SqliteStore,
    tenant: TenantId,
    subject: &Digest,
) -> Result<Referrers, StoreError> {
    let rows = sqlx::query(
        "SELECT digest, kind, artifact_type, size, first_seen_at FROM manifest
         WHERE tenant_id = ?1 AND subject = ?2 AND kind IS NOT NULL ORDER BY first_seen_at, digest LIMIT ?3",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(subject.to_bytes())
    .bind(integer(limits::REFERRERS as u64 + 1))
    .fetch_all(store.reader())
    .await
    .during("find referrers")?;
    let items = rows
        .iter()
        .take(limits::REFERRERS)
        .map(|row| {
            let row = Columns::of("manifest", row);
            Ok(Referrer {
                digest: row.digest("digest")?,
                kind: row.text("kind")?,
                artifact_type: media_type::column(&row, "artifact_type")?,
                size: row.number("size")?,
                first_seen_at: row.time("first_seen_at")?,
            })
        })
        .collect::<Result<_, StoreError>>()?;
    Ok(Referrers {
        items,
        cut: rows.len() > limits::REFERRERS,
    })
}
