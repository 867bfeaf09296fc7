//! The change feed: what the ledger says, in the order in which it was committed.

use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use jiff::Timestamp;
use portolan_shared::model::{
    Digest, RegistryId, RegistryName, RepositoryName, RunId, RunTrigger, SensorId, TagName, TenantId,
};

use crate::{AuditEntry, LedgerChange, StoreError};

/// A place in the feed of a tenant: what lies before it was seen. Entries are numbered from 1 in the order of their commits, and have
/// their changes in the order of the tags' names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct FeedPosition {
    /// The entry in which it is. All before it were seen.
    pub entry: u64,
    /// The last tag of that entry that was seen; none if nothing of it was.
    pub tag: Option<TagName>,
}

impl FeedPosition {
    /// Behind everything up to this entry.
    #[must_use]
    pub fn behind(entry: u64) -> Self {
        Self {
            entry: entry.saturating_add(1),
            tag: None,
        }
    }
}

impl fmt::Display for FeedPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.tag {
            Some(tag) => write!(f, "{}:{tag}", self.entry),
            None => write!(f, "{}", self.entry),
        }
    }
}

/// A text that is no position in the change feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a position in the change feed")]
pub struct FeedPositionError;

impl FromStr for FeedPosition {
    type Err = FeedPositionError;

    fn from_str(text: &str) -> Result<Self, FeedPositionError> {
        let (entry, tag) = match text.split_once(':') {
            Some((entry, tag)) => (entry, Some(tag.parse().map_err(|_| FeedPositionError)?)),
            None => (text, None),
        };
        // Digits alone, and no more than the database can count to.
        let digits = !entry.is_empty() && entry.bytes().all(|byte| byte.is_ascii_digit());
        match entry.parse::<i64>() {
            Ok(entry) if digits => Ok(Self {
                entry: entry.unsigned_abs(),
                tag,
            }),
            _ => Err(FeedPositionError),
        }
    }
}

/// Something that changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The place in the feed right behind it. No two changes of a tenant have the same.
    pub position: FeedPosition,
    /// In which registry.
    pub registry: RegistryId,
    /// The registry's name; of one that was removed, the last one.
    pub registry_name: RegistryName,
    /// When it was noticed.
    pub noticed_at: Timestamp,
    /// What it was.
    pub what: Changed,
}

/// What changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed {
    /// A tag.
    Tag(Box<TagChange>),
    /// The registry was removed from Portolan, with all its repositories and tags; of them nothing more is said. It may well still be there.
    RegistryRemoved,
}

/// A change of one tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagChange {
    /// In which repository.
    pub repository: RepositoryName,
    /// Of which tag.
    pub tag: TagName,
    /// What happened.
    pub change: LedgerChange,
    /// The last time before that the tag was known to be as it was: it happened in between. None if nothing was known of it.
    pub not_before: Option<Timestamp>,
    /// How it was learnt.
    pub learnt: Learnt,
}

/// How a change was learnt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Learnt {
    /// Why the run was started that noticed it; none if that is not known any more.
    pub trigger: Option<RunTrigger>,
    /// The run, which may be forgotten by now.
    pub run: RunId,
    /// The sensor that saw it.
    pub sensor: Option<SensorId>,
    /// Its name, unless it was deleted.
    pub sensor_name: Option<String>,
}

/// Changes behind a position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// They, in order.
    pub items: Vec<Change>,
    /// Where to go on: behind the last one, or behind all that was looked at if those of other registries were passed over.
    pub next: FeedPosition,
    /// Whether that is the end of the feed for now.
    pub at_end: bool,
}

/// A tag as it is now, for whoever begins to follow the feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PresentTag {
    /// The place of its repository in the order of this listing, for going on.
    pub repository_no: i64,
    /// In which registry.
    pub registry: RegistryId,
    /// The registry's name.
    pub registry_name: RegistryName,
    /// In which repository.
    pub repository: RepositoryName,
    /// Its name.
    pub tag: TagName,
    /// What it points to.
    pub digest: Digest,
    /// Since when, as far as was seen.
    pub since: Timestamp,
}

/// How long what is kept of the past is kept. None: for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retention {
    /// Days of tags' history. Of a tag that was there by the time that is forgotten, the change by which it came to be as it was then stays.
    pub history_days: Option<u32>,
    /// Days of runs that have ended; but of each registry the latest, the latest of the whole, and the latest of these that was complete, stay.
    /// Runs that looked at what events had named, and were complete, go after [`LOOKS_DAYS`](portolan_shared::model::limits::LOOKS_DAYS) at the latest.
    pub runs_days: Option<u32>,
}

/// Storage of the change feed.
///
/// An entry has its number from a counter of its tenant, counted up in the transaction that writes it. Whoever has read up to a number has
/// read everything before it only if numbers become visible in their order, which holds where a transaction that has counted keeps others
/// from counting until it has ended: on SQLite there is one writer; elsewhere the counter's row, once updated, stays locked until the commit.
/// A sequence would not do: what it gives out may be committed in any order.
#[async_trait]
pub trait Feed {
    /// The end of the feed as it is now.
    async fn feed_end(&self, tenant: TenantId) -> Result<FeedPosition, StoreError>;

    /// Changes behind a position, in order, at most `limit` (at least 1, at most [`FEED_PAGE`]), of one registry or of all.
    ///
    /// None if nobody can go on from there without a gap: something behind it has been removed already ([`Feed::forget_past`]), or it is
    /// ahead of the feed, as after a backup was restored. What happened in a registry that was removed since is no gap: that it was removed
    /// is said in its place.
    async fn changes(
        &self,
        tenant: TenantId,
        registry: Option<RegistryId>,
        after: &FeedPosition,
        limit: u32,
    ) -> Result<Option<Changes>, StoreError>;

    /// Whether somebody can go on from a position without a gap: see [`changes`](Feed::changes). Reads nothing of the feed itself.
    async fn feed_holds(&self, tenant: TenantId, after: &FeedPosition) -> Result<bool, StoreError>;

    /// Tags as they are now, in an order that stays, at most `limit` (at least 1, at most [`FEED_PAGE`]).
    async fn present_tags(
        &self,
        tenant: TenantId,
        registry: Option<RegistryId>,
        after: Option<(i64, &TagName)>,
        limit: u32,
    ) -> Result<Vec<PresentTag>, StoreError>;

    /// What a tenant wants to be kept.
    async fn retention(&self, tenant: TenantId) -> Result<Retention, StoreError>;

    /// Changes that, if it is still as it was `seen`, where that is said, and writes the entry; gives whether it was otherwise before. If not, nothing
    /// is written. None if somebody else has changed it since.
    async fn set_retention(
        &self,
        tenant: TenantId,
        retention: Retention,
        seen: Option<Retention>,
        entry: &AuditEntry,
    ) -> Result<Option<bool>, StoreError>;

    /// Removes what need not be kept any more, of all tenants, going through at most about so many rows in one transaction; gives how many it
    /// went through: none if there is nothing left to do. What it removes does not come back: the caller has made sure of the time.
    ///
    /// What is stored of one tenant and cannot be read keeps no other from being gone through: it is told once there is nothing else to do.
    async fn forget_past(&self, now: Timestamp, rows: u32) -> Result<u64, StoreError>;

    /// The latest time up to this one that the clock of any sensor, of whichever tenant, has shown when it last opened a session.
    async fn time_told_by_sensors(&self, until: Timestamp) -> Result<Option<Timestamp>, StoreError>;
}

/// Most changes, or tags, that are asked for at once.
pub const FEED_PAGE: u32 = 1_000;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn positions_are_ordered_as_the_feed_is() {
        let at = |text: &str| text.parse::<FeedPosition>().unwrap();
        assert!(at("1") < at("1:a") && at("1:a") < at("1:b") && at("1:b") < FeedPosition::behind(1));
        for wrong in [
            "",
            "x",
            "-1",
            "+1",
            "1:",
            "1:-",
            ":a",
            "1:a b",
            "9223372036854775808",
            "1 ",
        ] {
            assert!(wrong.parse::<FeedPosition>().is_err(), "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn positions_are_read_as_they_are_written(entry in 0..=i64::MAX as u64, tag in proptest::option::of("[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")) {
            let position = FeedPosition { entry, tag: tag.map(|tag| tag.parse().unwrap()) };
            prop_assert_eq!(position.to_string().parse(), Ok(position));
        }

        #[test]
        fn no_text_is_a_panic(text in "\\PC{0,40}") {
            let _ = text.parse::<FeedPosition>();
        }
    }
}
