//! A product's own list of tags, with what it leaves out.
//!
//! Harbor and Zot show signatures with what they sign only, also where these have tags; and a page by number loses a row when one before
//! it is deleted. A tag that is not listed counts as gone, so the names are taken from everybody's list as well: a request for every
//! thousand of them.

use async_trait::async_trait;
use portolan_shared::model::{Finding, RepositoryName};

use super::generic::TagsList;
use super::product::TagPages;
use super::tag_list::TagPage;
use crate::client::RegistryClient;
use crate::error::RegistryError;

pub(super) struct Completed<P> {
    native: P,
    names: TagsList,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Native,
    /// The native list was all.
    Done,
    Names,
}

impl<P: TagPages + 'static> Completed<P> {
    pub(super) fn boxed(
        native: P,
        client: &RegistryClient,
        repository: &RepositoryName,
    ) -> Box<dyn TagPages> {
        Box::new(Self {
            native,
            names: TagsList::new(client.tags(repository)),
            stage: Stage::Native,
        })
    }
}

#[async_trait]
impl<P: TagPages> TagPages for Completed<P> {
    async fn next_page(&mut self) -> Result<Option<TagPage>, RegistryError> {
        if self.stage == Stage::Native {
            if let Some(page) = self.native.next_page().await? {
                // Names that no request can be made for are counted where all names are listed.
                return Ok(Some(TagPage { malformed: 0, ..page }));
            }
            let more = self.native.is_to_be_completed().await?;
            self.stage = if more { Stage::Names } else { Stage::Done };
        }
        match self.stage {
            Stage::Names => self.names.next_page().await,
            Stage::Native | Stage::Done => Ok(None),
        }
    }

    fn shortfall(&self) -> Option<Finding> {
        match self.stage {
            Stage::Native | Stage::Done => self.native.shortfall(),
            Stage::Names => self.names.shortfall(),
        }
    }

    fn remark(&self) -> Option<Finding> {
        match self.stage {
            Stage::Native | Stage::Done => self.native.remark(),
            Stage::Names => self.names.remark(),
        }
    }

    fn held(&self) -> usize {
        match self.stage {
            Stage::Native | Stage::Done => self.native.held(),
            Stage::Names => self.names.held(),
        }
    }

    fn is_final(&self, error: &RegistryError) -> bool {
        match self.stage {
            Stage::Native | Stage::Done => self.native.is_final(error),
            // It was everybody's list that failed.
            Stage::Names => true,
        }
    }
}
