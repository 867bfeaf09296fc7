//! Reading the feed: a page that is there, or the next that comes.

use std::time::Duration;

use portolan_shared::model::{RegistryId, TagName, TenantId};
use portolan_store::{FEED_PAGE, FeedPosition, Role};

use super::{CloudEvent, FeedCursor, FeedReader, ReaderEnd};
use crate::app::{App, AppError, Caller};

/// Where somebody begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FeedStart {
    /// With everything that is there.
    Baseline,
    /// With what changes from now on.
    Now,
    /// Where they were.
    After(FeedCursor),
}

/// An event, and where to go on behind it.
#[derive(Debug, Clone)]
pub struct FeedItem {
    /// What happened.
    pub event: CloudEvent,
    /// The cursor behind it.
    pub cursor: FeedCursor,
}

/// Some events.
#[derive(Debug, Clone)]
pub struct FeedPage {
    /// They, in order.
    pub items: Vec<FeedItem>,
    /// Where to go on.
    pub next: FeedCursor,
    /// Whether that is the end of the feed for now.
    pub at_end: bool,
}

impl App {
    /// The registry that a feed is to be of, by name or id. Takes a viewer.
    pub async fn feed_registry(
        &self,
        caller: &Caller,
        registry: Option<&str>,
    ) -> Result<Option<RegistryId>, AppError> {
        caller.require(Role::Viewer)?;
        match registry {
            Some(name) => Ok(Some(self.registry(caller, name).await?.registry.id)),
            None => Ok(None),
        }
    }

    /// Where a reader stands who begins there.
    pub async fn feed_cursor(&self, tenant: TenantId, start: FeedStart) -> Result<FeedCursor, AppError> {
        Ok(match start {
            FeedStart::After(cursor) => cursor,
            FeedStart::Now => FeedCursor::Changes(self.store.feed_end(tenant).await?),
            FeedStart::Baseline => FeedCursor::Baseline {
                changes_from: self.store.feed_end(tenant).await?,
                after: None,
            },
        })
    }

    /// What is behind a cursor now: at most `limit` events, none if there is nothing.
    ///
    /// # Errors
    /// [`AppError::CursorExpired`] if nobody can go on from there without a gap.
    pub async fn read_feed(
        &self,
        tenant: TenantId,
        registry: Option<RegistryId>,
        from: &FeedCursor,
        limit: u32,
    ) -> Result<FeedPage, AppError> {
        let limit = limit.clamp(1, FEED_PAGE);
        match from {
            FeedCursor::Baseline { changes_from, after } => {
                let place = (changes_from, after.as_ref());
                self.read_baseline(tenant, registry, place, limit).await
            }
            FeedCursor::Changes(position) => self.read_changes(tenant, registry, position, limit).await,
        }
    }

    async fn read_changes(
        &self,
        tenant: TenantId,
        registry: Option<RegistryId>,
        position: &FeedPosition,
        limit: u32,
    ) -> Result<FeedPage, AppError> {
        let changes = self.store.changes(tenant, registry, position, limit).await?;
        let changes = changes.ok_or(AppError::CursorExpired)?;
        let next = FeedCursor::Changes(changes.next);
        let mut items: Vec<_> = changes
            .items
            .iter()
            .map(|change| FeedItem {
                event: CloudEvent::of_change(change),
                cursor: FeedCursor::Changes(change.position.clone()),
            })
            .collect();
        // Who stops here stands behind the whole entry, not within it.
        if let Some(last) = items.last_mut() {
            last.cursor = next.clone();
        }
        Ok(FeedPage {
            items,
            next,
            at_end: changes.at_end,
        })
    }

    async fn read_baseline(
        &self,
        tenant: TenantId,
        registry: Option<RegistryId>,
        (changes_from, after): (&FeedPosition, Option<&(i64, TagName)>),
        limit: u32,
    ) -> Result<FeedPage, AppError> {
        let place = after.map(|(repository, tag)| (*repository, tag));
        let tags = self.store.present_tags(tenant, registry, place, limit).await?;
        let whole = tags.len() < usize::try_from(limit).unwrap_or(usize::MAX);
        let mut items: Vec<_> = tags
            .into_iter()
            .map(|tag| FeedItem {
                event: CloudEvent::of_present(&tag),
                cursor: FeedCursor::Baseline {
                    changes_from: changes_from.clone(),
                    after: Some((tag.repository_no, tag.tag)),
                },
            })
            .collect();
        if whole {
            items.push(FeedItem {
                event: CloudEvent::baseline_complete(changes_from, self.clock.now()),
                cursor: FeedCursor::Changes(changes_from.clone()),
            });
        }
        // A page that is full has a last tag, and one that is not has the end of the baseline.
        let next = items.last().map_or_else(
            || FeedCursor::Changes(changes_from.clone()),
            |last| last.cursor.clone(),
        );
        Ok(FeedPage {
            items,
            next,
            at_end: false,
        })
    }

    /// The next events behind a cursor, as soon as there are some. Without any once the reader has to go, and then why.
    pub async fn follow_feed(
        &self,
        reader: &mut FeedReader,
        registry: Option<RegistryId>,
        cursor: &mut FeedCursor,
        limit: u32,
    ) -> Result<Result<FeedPage, ReaderEnd>, AppError> {
        let tenant = reader.caller().tenant;
        loop {
            if let Some(end) = reader.end(self).await {
                return Ok(Err(end));
            }
            reader.look();
            let page = self.read_feed(tenant, registry, cursor, limit).await?;
            // Also past what is none of this reader's: nobody looks at that twice.
            *cursor = page.next.clone();
            if !page.items.is_empty() {
                return Ok(Ok(page));
            }
            if page.at_end {
                reader.wait().await;
            }
        }
    }

    /// The next events behind a cursor, waiting for them at most so long.
    ///
    /// # Errors
    /// [`AppError::TooManyReaders`] if as many wait as may; as with [`App::read_feed`].
    pub async fn poll_feed(
        &self,
        caller: &Caller,
        registry: Option<RegistryId>,
        mut cursor: FeedCursor,
        limit: u32,
        wait: Duration,
    ) -> Result<FeedPage, AppError> {
        let page = self.read_feed(caller.tenant, registry, &cursor, limit).await?;
        if wait.is_zero() || !page.items.is_empty() {
            return Ok(page);
        }
        cursor = page.next;
        let mut reader = self.enter_feed(caller)?;
        let following = self.follow_feed(&mut reader, registry, &mut cursor, limit);
        match tokio::time::timeout(wait, following).await {
            Ok(followed) => match followed? {
                Ok(page) => return Ok(page),
                Err(_end) => {}
            },
            Err(_elapsed) => {}
        }
        Ok(FeedPage {
            items: Vec::new(),
            next: cursor,
            at_end: true,
        })
    }
}
