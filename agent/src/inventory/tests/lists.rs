//! The lists of the registry in memory.

use async_trait::async_trait;
use portolan_registry::{ListedTag, TagPage};
use portolan_shared::model::{DiscoveryMethod, DiscoveryStep, RepositoryName};

use super::registry::{MemoryRegistry, Request};
use crate::inventory::{Discovering, Failure, FoundPage, Origin, Pages, SourceError};

/// A listing in pages.
pub(super) struct Listing<'r, N> {
    registry: &'r MemoryRegistry,
    request: Box<dyn Fn(usize) -> Request + Send + Sync>,
    names: Result<Vec<N>, SourceError>,
    given: usize,
    pages: usize,
}

impl<'r, N: Clone> Listing<'r, N> {
    pub(super) fn new(
        registry: &'r MemoryRegistry,
        request: impl Fn(usize) -> Request + Send + Sync + 'static,
        names: Result<Vec<N>, SourceError>,
    ) -> Self {
        Self {
            registry,
            request: Box::new(request),
            names,
            given: 0,
            pages: 0,
        }
    }

    async fn page(&mut self) -> Result<Option<Vec<N>>, SourceError> {
        self.registry.asked((self.request)(self.pages)).await?;
        let names = self.names.as_ref().map_err(Clone::clone)?;
        if self.pages > 0 && self.given == names.len() {
            return Ok(None);
        }
        let page = if self.registry.page == 0 {
            names.len()
        } else {
            self.registry.page
        };
        let end = (self.given + page).min(names.len());
        let names = names[self.given..end].to_vec();
        self.given = end;
        self.pages += 1;
        Ok(Some(names))
    }
}

/// Tags, and those of the last answer that were not given yet.
pub(super) struct Tags<'r>(Listing<'r, ListedTag>, Vec<ListedTag>);

impl<'r> Tags<'r> {
    pub(super) fn new(listing: Listing<'r, ListedTag>) -> Self {
        Self(listing, Vec::new())
    }
}

#[async_trait]
impl Pages<TagPage> for Tags<'_> {
    async fn next(&mut self) -> Result<Option<TagPage>, SourceError> {
        let malformed = if self.0.pages == 0 {
            self.0.registry.malformed
        } else {
            0
        };
        if self.1.is_empty() {
            let page = self.0.page().await?;
            let Some(page) = page else { return Ok(None) };
            self.1 = page;
        }
        let piece = match self.0.registry.piece {
            0 => self.1.len(),
            piece => piece.min(self.1.len()),
        };
        let tags = self.1.drain(..piece).collect();
        Ok(Some(TagPage { tags, malformed }))
    }

    fn held(&self) -> usize {
        self.1.len()
    }
}

/// Names that somebody gave, or the catalog.
pub(super) struct Search<'r> {
    registry: &'r MemoryRegistry,
    catalog: Option<Listing<'r, RepositoryName>>,
    given: Option<Vec<RepositoryName>>,
    step: DiscoveryStep,
}

impl<'r> Search<'r> {
    /// Of the catalog, if there is one to be asked.
    pub(super) fn new(
        registry: &'r MemoryRegistry,
        catalog: Option<Listing<'r, RepositoryName>>,
        given: Option<Vec<RepositoryName>>,
    ) -> Self {
        let method = match catalog {
            Some(_) => DiscoveryMethod::Catalog,
            None => DiscoveryMethod::Explicit,
        };
        Self {
            registry,
            catalog,
            given,
            step: DiscoveryStep {
                method,
                found: 0,
                complete: false,
                finding: None,
            },
        }
    }
}

#[async_trait]
impl Pages<FoundPage> for Search<'_> {
    async fn next(&mut self) -> Result<Option<FoundPage>, SourceError> {
        let origin = match &self.catalog {
            Some(_) => self.registry.listed_as.unwrap_or(Origin::Listed),
            None => Origin::Named,
        };
        let names = match &mut self.catalog {
            Some(catalog) => match catalog.page().await {
                Ok(names) => names,
                Err(error) if error.failure == Failure::Everywhere => return Err(error),
                Err(error) => {
                    self.step.finding = Some(error.finding);
                    return Ok(None);
                }
            },
            None => self.given.take(),
        };
        match &names {
            Some(names) => self.step.found += names.len() as u64,
            None => self.step.complete = true,
        }
        Ok(names.map(|names| FoundPage { names, origin }))
    }
}

impl Discovering for Search<'_> {
    fn steps(&self) -> Vec<DiscoveryStep> {
        vec![self.step.clone()]
    }

    fn is_complete(&self) -> bool {
        self.step.complete
    }
}
