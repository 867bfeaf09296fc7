//! Any registry that speaks the distribution specification and nothing else that is known here.

use async_trait::async_trait;
use portolan_shared::model::{Finding, RepositoryName, TagName};

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
}

/// `tags/list`: names, of which nothing else is known.
pub(super) struct TagsList {
    walk: Walk<TagName>,
    malformed: u64,
}

impl TagsList {
    pub(super) fn new(walk: Walk<TagName>) -> Self {
        Self { walk, malformed: 0 }
    }
}

#[async_trait]
impl TagPages for TagsList {
    async fn next_page(&mut self) -> Result<Option<TagPage>, RegistryError> {
        let page = self.walk.next_page().await?;
        let malformed = self.walk.malformed() - self.malformed;
        self.malformed += malformed;
        let tags = match page {
            Some(page) => page.items,
            // Pages of nothing but malformed names are passed over by the walk.
            None if malformed > 0 => Vec::new(),
            None => return Ok(None),
        };
        Ok(Some(TagPage {
            tags: tags.into_iter().map(ListedTag::unresolved).collect(),
            malformed,
        }))
    }

    fn shortfall(&self) -> Option<Finding> {
        self.walk.shortfall()
    }
}
