//! The tags of a repository by the product's own way, or by everybody's where that is refused.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use portolan_shared::model::{
    Digest, Finding, ListingMethod, ListingStep, MediaType, RepositoryName, TagName,
};

use super::generic::TagsList;
use super::product::TagPages;
use crate::client::RegistryClient;
use crate::error::RegistryError;

/// A tag, and what the list says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedTag {
    /// The tag.
    pub tag: TagName,
    /// What it points to, if the list says so: else it has to be asked for.
    pub digest: Option<Digest>,
    /// Its manifest's media type, if the list says so.
    pub media_type: Option<MediaType>,
    /// When it was pushed, or last moved, if the list says so.
    pub pushed_at: Option<Timestamp>,
}

impl ListedTag {
    /// A tag of which only the name is known.
    #[must_use]
    pub fn unresolved(tag: TagName) -> Self {
        Self {
            tag,
            digest: None,
            media_type: None,
            pushed_at: None,
        }
    }
}

/// A page of tags.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TagPage {
    /// Its tags. None of them was on a page before.
    pub tags: Vec<ListedTag>,
    /// Further names on it that no request can be made for.
    pub malformed: u64,
}

/// Lists the tags of a repository.
///
/// The product's own list is asked first. If that is refused or fails for whatever reason, the tags are listed as in any other registry,
/// and the failure is counted. A failure that concerns the credential as such, such as a refused login, is one of the list; so is one that
/// the general list would repeat, such as of a repository that is not known.
pub struct TagList {
    client: RegistryClient,
    repository: RepositoryName,
    listings: Arc<Listings>,
    method: ListingMethod,
    pages: Box<dyn TagPages>,
    /// Of every tag that the product's own way gave a keyed hash: what pages repeat, or the general way lists again, is not given twice.
    given: HashSet<u64>,
    hasher: RandomState,
    ended: bool,
}

impl TagList {
    pub(super) fn new(
        client: RegistryClient,
        repository: RepositoryName,
        native: Option<(ListingMethod, Box<dyn TagPages>)>,
        listings: Arc<Listings>,
    ) -> Self {
        let (method, pages) = native
            .filter(|(method, _)| listings.is_open(*method))
            .unwrap_or_else(|| generic(&client, &repository));
        Self {
            client,
            repository,
            listings,
            method,
            pages,
            given: HashSet::new(),
            hasher: RandomState::new(),
            ended: false,
        }
    }

    /// The next page; `None` at the end. An error in the middle leaves what came before as it is.
    pub async fn next_page(&mut self) -> Result<Option<TagPage>, RegistryError> {
        while !self.ended {
            let is_native = self.method != ListingMethod::TagsList;
            match self.pages.next_page().await {
                Ok(Some(mut page)) => {
                    let (given, hasher) = (&mut self.given, &self.hasher);
                    page.tags.retain(|tag| {
                        let hash = hasher.hash_one(tag.tag.as_str());
                        if is_native {
                            given.insert(hash)
                        } else {
                            !given.contains(&hash)
                        }
                    });
                    return Ok(Some(page));
                }
                Ok(None) => {
                    self.ended = true;
                    self.listings.listed(self.method, self.pages.remark());
                }
                Err(error) if is_native && !error.concerns_credential() && !self.pages.is_final(&error) => {
                    tracing::debug!(repository = %self.repository, method = %self.method, %error, "listed in the general way");
                    self.listings.gave_up(self.method, &error);
                    (self.method, self.pages) = generic(&self.client, &self.repository);
                }
                Err(error) => {
                    self.ended = true;
                    return Err(error);
                }
            }
        }
        Ok(None)
    }

    /// How the tags are listed: the product's own way until that is given up.
    #[must_use]
    pub fn method(&self) -> ListingMethod {
        self.method
    }

    /// Tags that were read from the registry and not given yet: many where it gives all of them in one answer.
    #[must_use]
    pub fn held(&self) -> usize {
        self.pages.held()
    }

    /// Once the end was reached: why these are not all tags.
    #[must_use]
    pub fn shortfall(&self) -> Option<Finding> {
        self.pages.shortfall()
    }
}

fn generic(client: &RegistryClient, repository: &RepositoryName) -> (ListingMethod, Box<dyn TagPages>) {
    (
        ListingMethod::TagsList,
        Box::new(TagsList::new(client.tags(repository))),
    )
}

/// How tags were listed so far, in order of preference.
#[derive(Default)]
pub(super) struct Listings(Mutex<Vec<ListingStep>>);

/// Repositories in a row for which a method may fail before it is given up for the whole registry.
const FAILURES: u64 = 3;

impl Listings {
    fn state(&self) -> MutexGuard<'_, Vec<ListingStep>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, method: ListingMethod, change: impl FnOnce(&mut ListingStep) -> T) -> T {
        let mut steps = self.state();
        let index = steps
            .iter()
            .position(|step| step.method == method)
            .unwrap_or_else(|| {
                steps.push(ListingStep {
                    method,
                    repositories: 0,
                    given_up: 0,
                    finding: None,
                });
                steps.len() - 1
            });
        change(&mut steps[index])
    }

    /// Whether the method is worth trying: it has worked, or has not failed too often.
    fn is_open(&self, method: ListingMethod) -> bool {
        let steps = self.state();
        let step = steps.iter().find(|step| step.method == method);
        step.is_none_or(|step| step.repositories > 0 || step.given_up < FAILURES)
    }

    /// One repository more was listed; what is worth knowing of it is kept if nothing is yet: once for the whole registry.
    fn listed(&self, method: ListingMethod, remark: Option<Finding>) {
        self.with(method, |step| {
            step.repositories += 1;
            if step.finding.is_none() {
                step.finding = remark;
            }
        });
    }

    fn gave_up(&self, method: ListingMethod, error: &RegistryError) {
        self.with(method, |step| {
            step.given_up += 1;
            step.finding.get_or_insert_with(|| error.finding());
        });
    }

    pub(super) fn steps(&self) -> Vec<ListingStep> {
        self.state().clone()
    }
}
