//! Manifests and image facts, once per tenant.

use std::collections::BTreeMap;

use jiff::Timestamp;
use portolan_shared::model::manifest::ChildRole;
use portolan_shared::model::{Digest, FindingCode};
use serde::Serialize;
use sqlx::{Sqlite, Transaction};

use super::super::SqliteStore;
use super::super::columns::{Columns, integer, millis};
use super::super::failure::During as _;
use super::super::media_type;
use super::super::rows::{self, hex};
use super::super::run::{bind_fence, fenced, leased, stale};
use crate::{Content, ContentKind, Fence, ManifestContent, StoreError};

const PUT: &str = "store content";

/// What is known of a digest.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Known {
    #[default]
    Nothing,
    /// That its content could not be had.
    Unavailable,
    /// Its content, but not all below it.
    Incomplete,
    /// Its content.
    Held,
}

/// A row of `manifest`, each value as JSON has it.
#[derive(Serialize, Default)]
struct ManifestRow<'a> {
    digest: String,
    media_type: Option<&'a str>,
    kind: Option<&'static str>,
    artifact_type: Option<&'a str>,
    size: i64,
    content_size: i64,
    incomplete: bool,
    unavailable: Option<&'static str>,
    settled: bool,
    config: Option<String>,
    subject: Option<String>,
    bytes: Option<String>,
}

/// A row of `image_facts`, each value as JSON has it.
#[derive(Serialize)]
struct FactsRow {
    digest: String,
    size: i64,
    unavailable: Option<&'static str>,
    settled: bool,
    facts: Option<String>,
}

/// What a batch has to write.
#[derive(Default)]
struct Batch<'a> {
    manifests: Vec<ManifestRow<'a>>,
    /// Child, parent, role.
    parents: Vec<(String, String, &'static str)>,
    facts: Vec<FactsRow>,
    new_manifests: u32,
    new_facts: u32,
}

pub(super) async fn put(
    store: &SqliteStore,
    fence: &Fence,
    content: &[Content],
    now: Timestamp,
) -> Result<u32, StoreError> {
    let mut tx = store.write().await?;
    leased(&mut tx, fence).await?;
    let mut manifests = known(&mut tx, fence, ContentKind::Manifest, content).await?;
    let mut facts = known(&mut tx, fence, ContentKind::ImageFacts, content).await?;
    let mut batch = Batch::default();
    for item in content {
        let digest = digest_of(item).1;
        match item {
            Content::Manifest(manifest) => {
                batch.manifest(manifest, manifests.entry(digest).or_default());
            }
            Content::ImageFacts { size, json, .. } => {
                batch.facts(digest, *size, json, facts.entry(digest).or_default());
            }
            Content::Unavailable {
                kind,
                size,
                media_type,
                code,
                ..
            } => match kind {
                ContentKind::Manifest => {
                    let known = manifests.entry(digest).or_default();
                    batch.manifest_unavailable(digest, *size, media_type.as_ref(), *code, known);
                }
                ContentKind::ImageFacts => {
                    batch.facts_unavailable(digest, *size, *code, facts.entry(digest).or_default());
                }
            },
        }
    }
    batch.write(&mut tx, fence, now).await?;
    let new = batch.new_manifests + batch.new_facts;
    let query = sqlx::query(concat!(
        "UPDATE run SET content_stored = content_stored + ?6 WHERE ",
        fenced!()
    ));
    let counted = bind_fence(query, fence)
        .bind(i64::from(new))
        .execute(&mut *tx)
        .await
        .during(PUT)?;
    if counted.rows_affected() == 0 {
        return Err(stale(&mut tx, fence).await?);
    }
    tx.commit().await.during(PUT)?;
    Ok(new)
}

pub(super) async fn record_refused(store: &SqliteStore, fence: &Fence) -> Result<u32, StoreError> {
    const ACTION: &str = "note a refused batch";
    let mut tx = store.write().await?;
    let query = sqlx::query(concat!(
        "UPDATE run SET refused_batches = refused_batches + 1 WHERE ",
        fenced!(),
        " RETURNING refused_batches"
    ));
    let row = bind_fence(query, fence)
        .fetch_optional(&mut *tx)
        .await
        .during(ACTION)?;
    let Some(row) = row else {
        return Err(stale(&mut tx, fence).await?);
    };
    tx.commit().await.during(ACTION)?;
    Columns::of("run", &row).small("refused_batches")
}

fn digest_of(item: &Content) -> (ContentKind, &Digest) {
    match item {
        Content::Manifest(manifest) => (ContentKind::Manifest, &manifest.digest),
        Content::ImageFacts { digest, .. } => (ContentKind::ImageFacts, digest),
        Content::Unavailable { kind, digest, .. } => (*kind, digest),
    }
}

/// What is known of the digests of one kind in a batch.
async fn known<'a>(
    tx: &mut Transaction<'static, Sqlite>,
    fence: &Fence,
    kind: ContentKind,
    content: &'a [Content],
) -> Result<BTreeMap<&'a Digest, Known>, StoreError> {
    let digests: Vec<&Digest> = content
        .iter()
        .map(digest_of)
        .filter(|(of, _)| *of == kind)
        .map(|(_, digest)| digest)
        .collect();
    if digests.is_empty() {
        return Ok(BTreeMap::new());
    }
    let sql = match kind {
        ContentKind::Manifest => {
            "SELECT json_each.key AS place, manifest.unavailable IS NULL AS held, manifest.incomplete AS incomplete
             FROM json_each(?2) CROSS JOIN manifest
             WHERE manifest.tenant_id = ?1 AND manifest.digest = unhex(json_each.value)"
        }
        ContentKind::ImageFacts => {
            "SELECT json_each.key AS place, image_facts.unavailable IS NULL AS held, 0 AS incomplete
             FROM json_each(?2) CROSS JOIN image_facts
             WHERE image_facts.tenant_id = ?1 AND image_facts.digest = unhex(json_each.value)"
        }
    };
    let rows: Vec<(i64, bool, bool)> = sqlx::query_as(sql)
        .bind(fence.tenant.as_bytes().as_slice())
        .bind(rows::array(digests.iter().map(|digest| hex(&digest.to_bytes())))?)
        .fetch_all(&mut **tx)
        .await
        .during(PUT)?;
    Ok(rows
        .into_iter()
        .filter_map(|(place, held, incomplete)| {
            let digest = digests.get(usize::try_from(place).ok()?)?;
            let known = match (held, incomplete) {
                (false, _) => Known::Unavailable,
                (true, true) => Known::Incomplete,
                (true, false) => Known::Held,
            };
            Some((*digest, known))
        })
        .collect())
}

/// Whether content that could not be had for this reason is no reason to read a repository again that has not changed: it would be as
/// large as before. It is wanted all the same when it is offered, for this is only what one sensor said of one place.
fn is_permanent(code: FindingCode) -> bool {
    matches!(code, FindingCode::TooLarge | FindingCode::ManifestTooLarge)
}

impl<'a> Batch<'a> {
    fn manifest(&mut self, manifest: &'a ManifestContent, known: &mut Known) {
        match known {
            Known::Held => return,
            Known::Incomplete if manifest.incomplete => return,
            Known::Incomplete => {}
            Known::Nothing | Known::Unavailable => self.new_manifests += 1,
        }
        *known = if manifest.incomplete {
            Known::Incomplete
        } else {
            Known::Held
        };
        let digest = hex(&manifest.digest.to_bytes());
        for (child, role) in &manifest.children {
            let role = match role {
                ChildRole::Manifest => "manifest",
                ChildRole::Attestation => "attestation",
                ChildRole::CacheLayer => continue,
            };
            self.parents.push((hex(&child.to_bytes()), digest.clone(), role));
        }
        self.manifests.push(ManifestRow {
            digest,
            media_type: Some(media_type::stored(&manifest.media_type)),
            kind: Some(manifest.kind.as_str()),
            artifact_type: manifest.artifact_type.as_ref().map(media_type::stored),
            size: integer(manifest.bytes.len() as u64),
            content_size: integer(manifest.content_size),
            incomplete: manifest.incomplete,
            unavailable: None,
            settled: !manifest.incomplete,
            config: manifest.config.as_ref().map(|config| hex(&config.to_bytes())),
            subject: manifest.subject.as_ref().map(|subject| hex(&subject.to_bytes())),
            bytes: Some(hex(&manifest.bytes)),
        });
    }

    fn manifest_unavailable(
        &mut self,
        digest: &Digest,
        size: u64,
        media_type: Option<&'a portolan_shared::model::MediaType>,
        code: FindingCode,
        known: &mut Known,
    ) {
        if matches!(known, Known::Held | Known::Incomplete) {
            return;
        }
        *known = Known::Unavailable;
        self.manifests.push(ManifestRow {
            digest: hex(&digest.to_bytes()),
            media_type: media_type.map(media_type::stored),
            size: integer(size),
            unavailable: Some(code.as_str()),
            settled: is_permanent(code),
            ..ManifestRow::default()
        });
    }

    fn facts(&mut self, digest: &Digest, size: u64, json: &[u8], known: &mut Known) {
        if *known == Known::Held {
            return;
        }
        *known = Known::Held;
        self.new_facts += 1;
        self.facts.push(FactsRow {
            digest: hex(&digest.to_bytes()),
            size: integer(size),
            unavailable: None,
            settled: true,
            facts: Some(hex(json)),
        });
    }

    fn facts_unavailable(&mut self, digest: &Digest, size: u64, code: FindingCode, known: &mut Known) {
        if *known == Known::Held {
            return;
        }
        *known = Known::Unavailable;
        self.facts.push(FactsRow {
            digest: hex(&digest.to_bytes()),
            size: integer(size),
            unavailable: Some(code.as_str()),
            settled: is_permanent(code),
            facts: None,
        });
    }

    async fn write(
        &self,
        tx: &mut Transaction<'static, Sqlite>,
        fence: &Fence,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        const MANIFESTS: &str =
            "INSERT INTO manifest (tenant_id, digest, media_type, kind, artifact_type, size, content_size, incomplete,
                                   unavailable, settled, config, subject, first_seen_at, bytes)
             SELECT ?1, unhex(value ->> 'digest'), value ->> 'media_type', value ->> 'kind', value ->> 'artifact_type',
                    value ->> 'size', value ->> 'content_size', value ->> 'incomplete', value ->> 'unavailable',
                    value ->> 'settled', unhex(value ->> 'config'), unhex(value ->> 'subject'), ?3, unhex(value ->> 'bytes')
             FROM json_each(?2) WHERE true
             ON CONFLICT (tenant_id, digest) DO UPDATE SET
                 media_type = excluded.media_type, kind = excluded.kind, artifact_type = excluded.artifact_type,
                 size = excluded.size, content_size = excluded.content_size, incomplete = excluded.incomplete,
                 unavailable = excluded.unavailable, settled = excluded.settled, config = excluded.config,
                 subject = excluded.subject, bytes = excluded.bytes";
        const PARENTS: &str = "INSERT INTO manifest_parent (tenant_id, child, parent, role)
             SELECT ?1, unhex(value ->> 0), unhex(value ->> 1), value ->> 2 FROM json_each(?2) WHERE true
             ON CONFLICT DO NOTHING";
        const FACTS: &str = "INSERT INTO image_facts (tenant_id, digest, size, unavailable, settled, first_seen_at, facts)
             SELECT ?1, unhex(value ->> 'digest'), value ->> 'size', value ->> 'unavailable', value ->> 'settled', ?3,
                    unhex(value ->> 'facts')
             FROM json_each(?2) WHERE true
             ON CONFLICT (tenant_id, digest) DO UPDATE SET
                 size = excluded.size, unavailable = excluded.unavailable, settled = excluded.settled,
                 facts = excluded.facts";
        for (count, sql, rows) in [
            (
                self.manifests.len(),
                MANIFESTS,
                rows::json("manifests", &self.manifests)?,
            ),
            (self.parents.len(), PARENTS, rows::json("parents", &self.parents)?),
            (self.facts.len(), FACTS, rows::json("image facts", &self.facts)?),
        ] {
            if count > 0 {
                sqlx::query(sql)
                    .bind(fence.tenant.as_bytes().as_slice())
                    .bind(rows)
                    .bind(millis(now))
                    .execute(&mut **tx)
                    .await
                    .during(PUT)?;
            }
        }
        if self.new_manifests > 0 {
            sqlx::query("UPDATE tenant SET manifests = manifests + ?2 WHERE tenant_id = ?1")
                .bind(fence.tenant.as_bytes().as_slice())
                .bind(i64::from(self.new_manifests))
                .execute(&mut **tx)
                .await
                .during(PUT)?;
        }
        Ok(())
    }
}
