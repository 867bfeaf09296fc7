//! Any registry that speaks the distribution specification and nothing else that is known here.

use async_trait::async_trait;
use portolan_shared::model::{Finding, RepositoryName, TagName, limits};

use super::product::{Product, RepositoryPages, TagPages};
use super::tag_list::{ListedTag, TagPage};
use crate::api::{Page, Walk};
use crate::error::RegistryError;

pub(super) struct Generic;

impl Product for Generic {}

#[async_trait]
impl RepositoryPages for Walk<RepositoryName> {
    async fn next_page(&mut self) -> Result<Option<Page<RepositoryName>>, RegistryError> {
        Self::next_page(self).await
    }

    fn malformed(&self) -> u64 {
        Self::malformed(self)
    }

    fn shortfall(&self) -> Option<Finding> {
        Self::shortfall(self)
    }

    fn remark(&self) -> Option<Finding> {
        self.note()
    }
}

/// `tags/list`: names, of which nothing else is known.
///
/// Some registries give all of them in one answer. They are passed on in pieces: what is made of a name is several times as large.
pub(super) struct TagsList {
    walk: Walk<TagName>,
    malformed: u64,
    /// Names of the answer before that were not passed on yet.
    rest: std::vec::IntoIter<TagName>,
}

impl TagsList {
    pub(super) fn new(walk: Walk<TagName>) -> Self {
        Self {
            walk,
            malformed: 0,
            rest: Vec::new().into_iter(),
        }
    }
}

#[async_trait]
impl TagPages for TagsList {
    async fn next_page(&mut self) -> Result<Option<TagPage>, RegistryError> {
        let mut malformed = 0;
        if self.rest.len() == 0 {
            let page = self.walk.next_page().await?;
            malformed = self.walk.malformed() - self.malformed;
            self.malformed += malformed;
            match page {
                Some(page) => self.rest = page.items.into_iter(),
                // Pages of nothing but malformed names are passed over by the walk.
                None if malformed > 0 => {}
                None => return Ok(None),
            }
        }
        let piece = self.rest.by_ref().take(limits::TAGS_PER_PAGE);
        Ok(Some(TagPage {
            tags: piece.map(ListedTag::unresolved).collect(),
            malformed,
        }))
    }

    fn held(&self) -> usize {
        self.rest.len()
    }

    fn shortfall(&self) -> Option<Finding> {
        self.walk.shortfall()
    }

    fn remark(&self) -> Option<Finding> {
        self.walk.note()
    }
}
