//! The ledger in the order of its commits, with the registries that were removed in between.

use portolan_shared::model::{RegistryId, TagName, TenantId};
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

use super::super::columns::{Columns, integer};
use super::super::failure::During as _;
use super::super::{SqliteStore, image};
use crate::{Change, Changed, Changes, FEED_PAGE, FeedPosition, StoreError, TagChange};

const READ: &str = "read the change feed";

/// Entries that are looked at in one statement: of one registry there may be none among them.
const WINDOW: u64 = 5_000;
/// Windows that are looked at in one call before it gives what it has, which may be nothing.
const WINDOWS: usize = 20;

/// Where the feed of a tenant stands.
struct Ends {
    /// Behind the last entry.
    end: FeedPosition,
    /// Nothing in front of it is complete any more.
    kept_from: FeedPosition,
}

pub(super) async fn end(store: &SqliteStore, tenant: TenantId) -> Result<FeedPosition, StoreError> {
    let mut tx = store.read().await?;
    Ok(ends(&mut tx, tenant).await?.end)
}

pub(super) async fn holds(
    store: &SqliteStore,
    tenant: TenantId,
    after: &FeedPosition,
) -> Result<bool, StoreError> {
    let mut tx = store.read().await?;
    Ok(ends(&mut tx, tenant).await?.go_on(after).is_some())
}

impl Ends {
    /// Where whoever has seen all before this position goes on, if nothing is missing there.
    fn go_on(&self, after: &FeedPosition) -> Option<FeedPosition> {
        // There is no entry 0.
        let next = after.max(&FeedPosition::behind(0)).clone();
        (next >= self.kept_from && next <= self.end).then_some(next)
    }
}

async fn ends(connection: &mut SqliteConnection, tenant: TenantId) -> Result<Ends, StoreError> {
    let row = sqlx::query(
        "SELECT feed_no, feed_forgotten, feed_forgotten_tag, feed_from FROM tenant WHERE tenant_id = ?1",
    )
    .bind(tenant.as_bytes().as_slice())
    .fetch_optional(connection)
    .await
    .during(READ)?;
    let Some(row) = row else {
        let begin = FeedPosition::behind(0);
        return Ok(Ends {
            end: begin.clone(),
            kept_from: begin,
        });
    };
    let row = Columns::of("tenant", &row);
    let forgotten = row.number("feed_forgotten")?;
    let remembered = match row.opt_text::<TagName>("feed_forgotten_tag")? {
        Some(tag) => FeedPosition {
            entry: forgotten,
            tag: Some(tag),
        },
        None => FeedPosition::behind(forgotten),
    };
    let restored = row.number("feed_from")?;
    Ok(Ends {
        end: FeedPosition::behind(row.number("feed_no")?),
        kept_from: if restored > forgotten {
            FeedPosition::behind(restored)
        } else {
            remembered
        },
    })
}

pub(super) async fn list(
    store: &SqliteStore,
    tenant: TenantId,
    registry: Option<RegistryId>,
    after: &FeedPosition,
    limit: u32,
) -> Result<Option<Changes>, StoreError> {
    let limit = usize::try_from(limit.clamp(1, FEED_PAGE)).unwrap_or(usize::MAX);
    let mut tx = store.read().await?;
    let ends = ends(&mut tx, tenant).await?;
    let Some(mut next) = ends.go_on(after) else {
        return Ok(None);
    };
    let mut items = Vec::new();
    for _ in 0..WINDOWS {
        if next >= ends.end || items.len() >= limit {
            break;
        }
        let window = Window {
            tenant,
            registry,
            from: next.clone(),
            // The rest of an entry that was begun is looked at by itself: an index has it in order.
            last: match next.tag {
                Some(_) => next.entry,
                None => next.entry.saturating_add(WINDOW - 1).min(ends.end.entry - 1),
            },
            wanted: limit - items.len(),
        };
        let found = window.read(&mut tx).await?;
        next = match found.last() {
            Some(last) if found.len() >= window.wanted => last.position.clone(),
            _ => FeedPosition::behind(window.last),
        };
        items.extend(found);
    }
    Ok(Some(Changes {
        items,
        at_end: next >= ends.end,
        next,
    }))
}

/// Consecutive entries.
struct Window {
    tenant: TenantId,
    registry: Option<RegistryId>,
    from: FeedPosition,
    /// The last entry.
    last: u64,
    /// Changes that are wanted at most.
    wanted: usize,
}

/// What is read of each line.
macro_rules! lines {
    ($which:literal) => {
        concat!(
            "SELECT ledger_entry.feed_no, ledger_entry.run_id, ledger_entry.noticed_at, ledger_entry.not_before, ledger_entry.learnt,
                    ledger_entry.sensor_id, sensor.name AS sensor_name, registry.registry_id, registry.name AS registry_name,
                    repository.name AS repository, ledger.tag, ledger.digest_before, ledger.digest_after, ledger.left_out, ",
            image::changed_before!(),
            "FROM ledger_entry INDEXED BY ledger_feed CROSS JOIN repository CROSS JOIN registry CROSS JOIN ledger
             LEFT JOIN sensor ON sensor.tenant_id = ?1 AND sensor.sensor_id = ledger_entry.sensor_id
             WHERE ledger_entry.tenant_id = ?1 AND ", $which, "
               AND repository.tenant_id = ?1 AND repository.repository_no = ledger_entry.repository_no
               AND (?4 IS NULL OR repository.registry_id = ?4)
               AND registry.tenant_id = ?1 AND registry.registry_id = repository.registry_id
               AND ledger.tenant_id = ?1 AND ledger.repository_no = ledger_entry.repository_no
               AND ledger.entry_no = ledger_entry.entry_no
             ORDER BY ledger_entry.feed_no, ledger.tag LIMIT ?5"
        )
    };
}

/// Of entries that were not begun. Of those that are given whole, SQLite sorts one at a time.
pub(super) const WHOLE: &str = lines!("ledger_entry.feed_no BETWEEN ?2 AND ?3 AND ?6 IS NULL");
/// The rest of one entry.
pub(super) const REST: &str = lines!("ledger_entry.feed_no = ?2 AND ?2 = ?3 AND ledger.tag > ?6");

impl Window {
    /// What changed in it, in order, at most as much as is wanted.
    async fn read(&self, connection: &mut SqliteConnection) -> Result<Vec<Change>, StoreError> {
        let statement = if self.from.tag.is_some() { REST } else { WHOLE };
        let rows = sqlx::query(statement)
            .bind(self.tenant.as_bytes().as_slice())
            .bind(integer(self.from.entry))
            .bind(integer(self.last))
            .bind(
                self.registry
                    .as_ref()
                    .map(|registry| registry.as_bytes().to_vec()),
            )
            .bind(integer(self.wanted as u64))
            .bind(self.from.tag.as_ref().map(TagName::as_str))
            .fetch_all(&mut *connection)
            .await
            .during(READ)?;
        let mut changes = rows.iter().map(line).collect::<Result<Vec<_>, _>>()?;
        if self.from.tag.is_none() {
            changes.extend(self.removals(connection).await?);
            changes.sort_by(|left, right| left.position.cmp(&right.position));
            changes.truncate(self.wanted);
        }
        Ok(changes)
    }

    async fn removals(&self, connection: &mut SqliteConnection) -> Result<Vec<Change>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM registry_removal
             WHERE tenant_id = ?1 AND feed_no BETWEEN ?2 AND ?3 AND (?4 IS NULL OR registry_id = ?4)
             ORDER BY feed_no LIMIT ?5",
        )
        .bind(self.tenant.as_bytes().as_slice())
        .bind(integer(self.from.entry))
        .bind(integer(self.last))
        .bind(
            self.registry
                .as_ref()
                .map(|registry| registry.as_bytes().to_vec()),
        )
        .bind(integer(self.wanted as u64))
        .fetch_all(connection)
        .await
        .during(READ)?;
        rows.iter()
            .map(|row| {
                let row = Columns::of("registry_removal", row);
                Ok(Change {
                    position: FeedPosition::behind(row.number("feed_no")?),
                    registry: row.bytes("registry_id", RegistryId::from_slice)?,
                    registry_name: row.text("name")?,
                    noticed_at: row.time("removed_at")?,
                    what: Changed::RegistryRemoved,
                })
            })
            .collect()
    }
}

fn line(row: &SqliteRow) -> Result<Change, StoreError> {
    let row = Columns::of("ledger", row);
    let tag: TagName = row.text("tag")?;
    let noticed_at = row.time("noticed_at")?;
    let change = TagChange {
        repository: row.text("repository")?,
        change: image::ledger_change(&row)?,
        not_before: image::not_before(&row, noticed_at)?,
        learnt: image::learnt(&row)?,
        tag: tag.clone(),
    };
    Ok(Change {
        position: FeedPosition {
            entry: row.number("feed_no")?,
            tag: Some(tag),
        },
        registry: row.bytes("registry_id", RegistryId::from_slice)?,
        registry_name: row.text("registry_name")?,
        noticed_at,
        what: Changed::Tag(Box::new(change)),
    })
}
