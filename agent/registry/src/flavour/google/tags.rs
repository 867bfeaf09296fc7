//! The tags of a repository: all in one answer, with what they point to. They are passed on in pieces.

use std::collections::HashSet;

use async_trait::async_trait;
use portolan_shared::model::{Finding, FindingCode, RepositoryName, limits};

use super::listing::list;
use crate::api::WalkEnd;
use crate::client::RegistryClient;
use crate::error::{Fault, RegistryError, Subject};
use crate::flavour::product::TagPages;
use crate::flavour::tag_list::{ListedTag, TagPage};

pub(super) struct Tags {
    client: RegistryClient,
    repository: RepositoryName,
    /// Queries that were asked, the first one without any.
    asked: HashSet<Option<String>>,
    next: Option<String>,
    room: usize,
    /// What was read and not passed on yet.
    rest: std::vec::IntoIter<ListedTag>,
    end: Option<WalkEnd>,
}

impl Tags {
    pub(super) fn new(client: RegistryClient, repository: RepositoryName) -> Self {
        let room = client.limits().tags;
        Self {
            client,
            repository,
            asked: HashSet::new(),
            next: None,
            room,
            rest: Vec::new().into_iter(),
            end: None,
        }
    }

    async fn advance(&mut self) -> Result<Option<TagPage>, Fault> {
        if self.rest.len() > 0 {
            return Ok(Some(self.piece(0)));
        }
        if self.end.is_some() {
            return Ok(None);
        }
        if self.asked.len() >= self.client.limits().pages {
            self.end = Some(WalkEnd::PageBound);
            return Ok(None);
        }
        let query = self.next.take();
        let listing = list(
            &self.client,
            &self.repository,
            query.as_deref(),
            self.client.limits().list_bytes,
        )
        .await?;
        if listing.unreadable_tags > 0 {
            return Err(Fault::Protocol {
                problem: "rows of the list of tags cannot be read",
            });
        }
        self.asked.insert(query);
        let mut tags = listing.tags;
        if tags.len() > self.room {
            tags.truncate(self.room);
            self.end = Some(WalkEnd::ItemBound);
        }
        self.room -= tags.len();
        // It is not known to page; should it, its links are followed.
        match listing.next.map(Some) {
            _ if self.end.is_some() => {}
            None => self.end = Some(WalkEnd::Complete),
            Some(next) if self.asked.contains(&next) => self.end = Some(WalkEnd::Circle),
            Some(next) => self.next = next,
        }
        self.rest = tags.into_iter();
        Ok(Some(self.piece(listing.malformed)))
    }

    fn piece(&mut self, malformed: u64) -> TagPage {
        let tags = self.rest.by_ref().take(limits::TAGS_PER_PAGE).collect();
        TagPage { tags, malformed }
    }
}

#[async_trait]
impl TagPages for Tags {
    async fn next_page(&mut self) -> Result<Option<TagPage>, RegistryError> {
        let outcome = self.advance().await;
        outcome.map_err(|fault| self.client.error(Subject::Tags(self.repository.clone()), fault))
    }

    fn held(&self) -> usize {
        self.rest.len()
    }

    fn shortfall(&self) -> Option<Finding> {
        let end = self.end.filter(|end| !end.is_complete())?;
        let code = if end == WalkEnd::ItemBound {
            FindingCode::RepositoryTruncated
        } else {
            FindingCode::ListingIncomplete
        };
        let registry = self.client.url().reference_host();
        let seen = format!("{registry}: {end}, reading the tags of {}", self.repository);
        Some(Finding::new(code, &seen))
    }

    /// Everybody's own list is at the same place: what is not shown here is not shown there.
    fn is_final(&self, error: &RegistryError) -> bool {
        error.is_denied() || error.is_missing()
    }
}
