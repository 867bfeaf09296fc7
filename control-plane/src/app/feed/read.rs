//! Reading the feed: a page that is there, or the next that comes.

use std::sync::Arc;
use std::time::Duration;

use portolan_shared::model::{TagName, TenantId};
use portolan_store::{Changed, FEED_PAGE, FeedPosition};

use super::apart::apart;
use super::{CloudEvent, FeedCursor, FeedPlace, FeedReader, ReaderEnd};
use crate::app::{App, AppError, Caller};

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
    /// Whether it is the end for ever: the registry that was followed has been removed, and that is told, here or before.
    pub ended: bool,
}

impl App {
    /// What is behind a cursor now: at most `limit` events, none if there is nothing.
    ///
    /// # Errors
    /// [`AppError::CursorExpired`] if nobody can go on from there without a gap.
    pub async fn read_feed(
        &self,
        tenant: TenantId,
        from: &FeedCursor,
        limit: u32,
    ) -> Result<FeedPage, AppError> {
        let limit = limit.clamp(1, FEED_PAGE);
        // Asked before the feed is read: of one that is gone by now, it tells that it went.
        let gone = match from.registry() {
            Some(registry) => self.store.registry(tenant, registry).await?.is_none(),
            None => false,
        };
        let mut page = match &from.place {
            FeedPlace::Baseline { changes_from, after } => {
                let place = (changes_from, after.as_ref());
                self.read_baseline(tenant, from, place, limit).await?
            }
            FeedPlace::Changes(position) => self.read_changes(tenant, from, position, limit).await?,
        };
        page.ended |= gone && page.at_end;
        Ok(page)
    }

    async fn read_changes(
        &self,
        tenant: TenantId,
        from: &FeedCursor,
        position: &FeedPosition,
        limit: u32,
    ) -> Result<FeedPage, AppError> {
        let changes = self
            .store
            .changes(tenant, from.registry(), position, limit)
            .await?;
        let changes = changes.ok_or(AppError::CursorExpired)?;
        let next = from.at(FeedPlace::Changes(changes.next));
        // It may be gone only since it was asked for: of one that is followed nothing comes behind that.
        let last = changes.items.last();
        let ended = from.registry().is_some()
            && last.is_some_and(|last| matches!(last.what, Changed::RegistryRemoved));
        let mut items: Vec<_> = changes
            .items
            .iter()
            .map(|change| FeedItem {
                event: CloudEvent::of_change(change),
                cursor: from.at(FeedPlace::Changes(change.position.clone())),
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
            ended,
        })
    }

    async fn read_baseline(
        &self,
        tenant: TenantId,
        from: &FeedCursor,
        (changes_from, after): (&FeedPosition, Option<&(i64, TagName)>),
        limit: u32,
    ) -> Result<FeedPage, AppError> {
        // Whoever could not go on behind the baseline need not read it to its end.
        if !self.store.feed_holds(tenant, changes_from).await? {
            return Err(AppError::CursorExpired);
        }
        let place = after.map(|(repository, tag)| (*repository, tag));
        let tags = self
            .store
            .present_tags(tenant, from.registry(), place, limit)
            .await?;
        let whole = tags.len() < usize::try_from(limit).unwrap_or(usize::MAX);
        let mut items: Vec<_> = tags
            .into_iter()
            .map(|tag| FeedItem {
                event: CloudEvent::of_present(&tag),
                cursor: from.at(FeedPlace::Baseline {
                    changes_from: changes_from.clone(),
                    after: Some((tag.repository_no, tag.tag)),
                }),
            })
            .collect();
        let changes = from.at(FeedPlace::Changes(changes_from.clone()));
        if whole {
            items.push(FeedItem {
                event: CloudEvent::baseline_complete(changes_from, self.clock.now()),
                cursor: changes.clone(),
            });
        }
        // A page that is full has a last tag, and one that is not has the end of the baseline.
        let next = items.last().map_or(changes, |last| last.cursor.clone());
        Ok(FeedPage {
            items,
            next,
            at_end: false,
            ended: false,
        })
    }

    /// The next events, as soon as there are some. `page` is what was there so far: it is replaced, also by what is none of this reader's, so that
    /// nobody looks at that twice. Gives why the reader has to go, if it has to go without any.
    pub async fn follow_feed(
        self: &Arc<Self>,
        reader: &mut FeedReader,
        page: &mut FeedPage,
        limit: u32,
    ) -> Result<Option<ReaderEnd>, AppError> {
        let tenant = reader.caller().tenant;
        page.items.clear();
        loop {
            if page.ended {
                return Ok(Some(ReaderEnd::Removed));
            }
            if page.at_end
                && let FeedPlace::Changes(position) = &page.next.place
            {
                if let Some(end) = reader.wait(self, position).await {
                    return Ok(Some(end));
                }
            } else if let Some(end) = reader.end(self).await {
                return Ok(Some(end));
            }
            let (app, from) = (Arc::clone(self), page.next.clone());
            let read = async move { app.read_feed(tenant, &from, limit).await };
            *page = apart(&self.tasks, read).await??;
            if !page.items.is_empty() {
                return Ok(None);
            }
        }
    }

    /// The next events behind a cursor, waiting for them at most so long.
    ///
    /// # Errors
    /// [`AppError::TooManyReaders`] if as many wait as may; as with [`App::read_feed`].
    pub async fn poll_feed(
        self: &Arc<Self>,
        caller: &Caller,
        cursor: &FeedCursor,
        limit: u32,
        wait: Duration,
    ) -> Result<FeedPage, AppError> {
        let mut page = self.read_feed(caller.tenant, cursor, limit).await?;
        if wait.is_zero() || !page.items.is_empty() || page.ended {
            return Ok(page);
        }
        let mut reader = self.enter_feed(caller)?;
        let following = self.follow_feed(&mut reader, &mut page, limit);
        // If nothing came, the page says how far it was looked, and whether that is the end.
        if let Ok(followed) = tokio::time::timeout(wait, following).await {
            followed?;
        }
        Ok(page)
    }
}

impl FeedCursor {
    /// The same feed, at this place.
    fn at(&self, place: FeedPlace) -> Self {
        Self {
            scope: self.scope,
            place,
        }
    }
}
