//! What is to be looked at of one repository.

use std::collections::{BTreeMap, BTreeSet};

use portolan_shared::model::limits::{
    EVENT_FLOOD, EVENT_FLOOD_MS, EVENT_SPACING_MS, EVENT_WHOLE_SPACING_MS, EVENT_WINDOW_MS,
    RUN_SCOPE_REFERENCES,
};
use portolan_shared::model::{RegistryId, RepositoryName, TagName, TenantId};
use sqlx::{Sqlite, Transaction};

use super::super::columns::{Columns, integer};
use super::super::failure::During as _;
use super::super::rows;
use crate::StoreError;

/// The name in the row of the whole registry.
pub(super) const WHOLE: &str = "";

/// What is wanted of a repository: these tags, or all if none.
pub(super) type Tags = Option<BTreeSet<TagName>>;

/// A row.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    pub(super) tags: Tags,
    pub(super) first_at: Option<i64>,
    pub(super) events: u64,
    pub(super) due_at: Option<i64>,
    pub(super) taken_at: Option<i64>,
    /// Looks at it in a row that came to nothing.
    pub(super) tries: u32,
}

impl Waiting {
    /// Reads a row.
    pub(super) fn of(row: &Columns<'_>) -> Result<Self, StoreError> {
        let tags: Option<Vec<String>> = row.opt_json("tags")?;
        let parse = |tags: Vec<String>| tags.iter().map(|tag| tag.parse()).collect();
        let tags: Option<Result<BTreeSet<TagName>, _>> = tags.map(parse);
        Ok(Self {
            tags: tags.transpose().map_err(|_| row.corrupt("tags"))?,
            first_at: row.get("first_at")?,
            events: row.number("events")?,
            due_at: row.get("due_at")?,
            taken_at: row.get("taken_at")?,
            tries: row.small("tries")?,
        })
    }

    /// Takes in what events of this moment want.
    pub(super) fn add(&mut self, wanted: &Tags, events: u64, now: i64) {
        self.hear(wanted, events, now, EVENT_SPACING_MS);
        if self.events > EVENT_FLOOD
            && let (Some(due_at), Some(first_at)) = (self.due_at, self.first_at)
        {
            let quiet = now.saturating_add(integer(EVENT_WINDOW_MS));
            let latest = first_at.saturating_add(integer(EVENT_FLOOD_MS));
            self.due_at = Some(due_at.max(quiet.min(latest)));
        }
    }

    /// Takes in that the whole registry is to be looked at. However often that is wanted, it is not all that the registry is busy with.
    pub(super) fn add_whole(&mut self, events: u64, now: i64) {
        self.hear(&None, events, now, EVENT_WHOLE_SPACING_MS);
    }

    fn hear(&mut self, wanted: &Tags, events: u64, now: i64, spacing: u64) {
        let soon = due(now, self.taken_at, integer(spacing));
        match self.due_at {
            // What waits after a look in vain is tried at once, now that something has happened there.
            Some(due_at) if self.tries > 0 => self.due_at = Some(due_at.min(soon)),
            Some(_) => {}
            None => self.due_at = Some(self.begin(now, soon)),
        }
        self.want(wanted, events);
    }

    /// Takes in what a look of before did not come to: it is tried again then, or when other events ask for it.
    pub(super) fn put_back(&mut self, wanted: &Tags, first_at: i64, again_at: i64) {
        let due_at = match self.due_at {
            Some(due_at) => due_at.min(again_at),
            None => self.begin(first_at, again_at),
        };
        self.due_at = Some(due_at);
        self.first_at = self.first_at.map(|heard| heard.min(first_at));
        self.want(wanted, 1);
    }

    /// Begins to wait for what has yet to be said; gives when it is due.
    fn begin(&mut self, first_at: i64, due_at: i64) -> i64 {
        self.tags = Some(BTreeSet::new());
        self.first_at = Some(first_at);
        due_at
    }

    fn want(&mut self, wanted: &Tags, events: u64) {
        self.events = self.events.saturating_add(events);
        self.tags = match (self.tags.take(), wanted) {
            (Some(mut tags), Some(more)) => {
                tags.extend(more.iter().cloned());
                (tags.len() <= RUN_SCOPE_REFERENCES).then_some(tags)
            }
            _ => None,
        };
    }
}

/// Repositories of a registry with events that wait.
pub(super) async fn count(
    tx: &mut Transaction<'static, Sqlite>,
    (tenant, registry): (TenantId, RegistryId),
) -> Result<u64, StoreError> {
    let rows: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM event_pending
         WHERE tenant_id = ?1 AND registry_id = ?2 AND repository <> '' AND due_at IS NOT NULL",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(registry.as_bytes().as_slice())
    .fetch_one(&mut **tx)
    .await
    .during("count events that wait")?;
    Ok(rows.unsigned_abs())
}

/// When events that begin now are to be looked at. Never later than the spacing asks for: the clock may have been set back since the last look.
fn due(now: i64, taken_at: Option<i64>, spacing: i64) -> i64 {
    let window = integer(EVENT_WINDOW_MS);
    let spaced = taken_at.map_or(now, |taken_at| taken_at.saturating_add(spacing));
    (now + window).max(spaced).min(now + spacing)
}

/// The rows of these repositories, or of the whole registry, that there are.
pub(super) async fn read(
    tx: &mut Transaction<'static, Sqlite>,
    (tenant, registry): (TenantId, RegistryId),
    names: impl Iterator<Item = &str>,
) -> Result<BTreeMap<String, Waiting>, StoreError> {
    let stored = sqlx::query(
        "SELECT repository, tags, first_at, events, due_at, taken_at, tries FROM json_each(?3) CROSS JOIN event_pending
         WHERE tenant_id = ?1 AND registry_id = ?2 AND repository = json_each.value",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(registry.as_bytes().as_slice())
    .bind(rows::array(names)?)
    .fetch_all(&mut **tx)
    .await
    .during("find events that wait")?;
    stored
        .iter()
        .map(|row| {
            let row = Columns::of("event_pending", row);
            Ok((row.get("repository")?, Waiting::of(&row)?))
        })
        .collect()
}

/// Writes rows. When a repository was looked at before stays as it is.
pub(super) async fn write<'a>(
    tx: &mut Transaction<'static, Sqlite>,
    (tenant, registry): (TenantId, RegistryId),
    waiting: impl Iterator<Item = (&'a str, &'a Waiting)>,
) -> Result<(), StoreError> {
    let waiting = rows::array(waiting.map(|(name, row)| {
        let tags = row.tags.as_ref();
        let tags = tags.map(|tags| tags.iter().map(TagName::as_str).collect::<Vec<_>>());
        (
            name,
            tags,
            row.first_at,
            integer(row.events),
            row.due_at,
            row.tries,
        )
    }))?;
    sqlx::query(
        "INSERT INTO event_pending (tenant_id, registry_id, repository, tags, first_at, events, due_at, tries)
         SELECT ?1, ?2, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5 FROM json_each(?3) WHERE true
         ON CONFLICT DO UPDATE SET tags = excluded.tags, first_at = excluded.first_at, events = excluded.events,
                                   due_at = excluded.due_at, tries = excluded.tries",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(registry.as_bytes().as_slice())
    .bind(waiting)
    .execute(&mut **tx)
    .await
    .during("note what events want")?;
    Ok(())
}

/// What several events want of repositories, with how many there were.
#[derive(Debug, Default)]
pub(super) struct Wishes(BTreeMap<RepositoryName, (Tags, u64)>);

impl Wishes {
    /// Adds what some events want of a repository.
    pub(super) fn add(&mut self, repository: &RepositoryName, tags: Tags, events: u64) {
        let wish = self
            .0
            .entry(repository.clone())
            .or_insert_with(|| (Some(BTreeSet::new()), 0));
        wish.1 = wish.1.saturating_add(events);
        wish.0 = match (wish.0.take(), tags) {
            (Some(mut wanted), Some(more)) => {
                wanted.extend(more);
                Some(wanted)
            }
            _ => None,
        };
    }

    /// By repository.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&RepositoryName, &(Tags, u64))> {
        self.0.iter()
    }
}
