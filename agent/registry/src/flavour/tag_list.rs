//! The tags of a repository by the product's own way, or by everybody's where that is refused.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use portolan_shared::model::{
    Digest, Finding, FindingCode, ListingMethod, ListingStep, MediaType, RepositoryName, TagName,
};

use super::generic::TagsList;
use super::product::TagPages;
use crate::client::RegistryClient;
use crate::error::{Fault, RegistryError};

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
/// and the failure is counted. If that fails as well, or ends without the end of the list, the way is tried that some products have
/// beside these; the list is then as whole as that says. A failure that concerns the credential as such, such as a refused login, is one of
/// the list; so is one that the next way would repeat, such as of a repository that is not known.
pub struct TagList {
    client: RegistryClient,
    repository: RepositoryName,
    listings: Arc<Listings>,
    way: Way,
    method: ListingMethod,
    pages: Box<dyn TagPages>,
    /// The way that is left where the general one fails.
    last: Option<(ListingMethod, Box<dyn TagPages>)>,
    /// Of every tag that was given while there was another way a keyed hash: what pages repeat, or the next way lists again, is not given
    /// twice.
    given: HashSet<u64>,
    hasher: RandomState,
    /// Once the list has ended: that these are not all tags, though the way that was tried last did not say so.
    unlisted: Option<Finding>,
    ended: bool,
}

/// Which of its ways a list has come to.
enum Way {
    Own,
    General,
    Last(Fallen),
}

/// What came of the general way.
struct Fallen {
    /// `None` if it gave what it had.
    error: Option<RegistryError>,
    finding: Finding,
    told: bool,
}

impl TagList {
    pub(super) fn new(
        client: RegistryClient,
        repository: RepositoryName,
        native: Option<(ListingMethod, Box<dyn TagPages>)>,
        listings: Arc<Listings>,
    ) -> Self {
        let native = native.filter(|(method, _)| listings.is_open(*method));
        let way = if native.is_some() { Way::Own } else { Way::General };
        let (method, pages) = native.unwrap_or_else(|| generic(&client, &repository));
        Self {
            client,
            repository,
            listings,
            way,
            method,
            pages,
            last: None,
            given: HashSet::new(),
            hasher: RandomState::new(),
            unlisted: None,
            ended: false,
        }
    }

    /// The same list, with a way that is tried where everybody's fails.
    pub(super) fn or_at_last(mut self, last: Option<(ListingMethod, Box<dyn TagPages>)>) -> Self {
        self.last = last.filter(|(method, _)| self.listings.is_open(*method));
        self
    }

    /// The next page; `None` at the end. An error in the middle leaves what came before as it is.
    pub async fn next_page(&mut self) -> Result<Option<TagPage>, RegistryError> {
        while !self.ended {
            match self.pages.next_page().await {
                Ok(Some(mut page)) => {
                    self.tell();
                    let keep = self.last.is_some() || !matches!(self.way, Way::General);
                    let (given, hasher) = (&mut self.given, &self.hasher);
                    page.tags.retain(|tag| {
                        let hash = hasher.hash_one(tag.tag.as_str());
                        if keep {
                            given.insert(hash)
                        } else {
                            !given.contains(&hash)
                        }
                    });
                    return Ok(Some(page));
                }
                Ok(None) => {
                    self.tell();
                    if let Some(finding) = self.cut_short()
                        && let Some(last) = self.last.take()
                    {
                        self.fall(last, None, finding);
                        continue;
                    }
                    self.ended = true;
                    self.listings.listed(self.method, self.pages.remark());
                }
                Err(error) => self.failed(error)?,
            }
        }
        Ok(None)
    }

    /// Turns to the next way, if one is left that may do better.
    fn failed(&mut self, error: RegistryError) -> Result<(), RegistryError> {
        let is_final = error.concerns_credential() || self.pages.is_final(&error);
        match &mut self.way {
            Way::Own if !is_final => {
                tracing::debug!(repository = %self.repository, method = %self.method, %error, "listed in the general way");
                self.listings.gave_up(self.method, error.finding());
                self.way = Way::General;
                (self.method, self.pages) = generic(&self.client, &self.repository);
                Ok(())
            }
            Way::General if !is_final && names_would_help(&error) => {
                let Some(last) = self.last.take() else {
                    self.ended = true;
                    return Err(error);
                };
                let finding = error.finding();
                self.fall(last, Some(error), finding);
                Ok(())
            }
            Way::Last(fallen) => {
                self.ended = true;
                if !matches!(error.fault(), Fault::NotAsked { .. }) {
                    self.listings.gave_up(self.method, error.finding());
                }
                self.unlisted = Some(fallen.finding.clone());
                match fallen.error.take() {
                    Some(first) => Err(first),
                    None => Ok(()),
                }
            }
            Way::Own | Way::General => {
                self.ended = true;
                Err(error)
            }
        }
    }

    /// Why the general way has not come to the end of the list. At the bound of tags there is no place for more.
    fn cut_short(&self) -> Option<Finding> {
        let finding = matches!(self.way, Way::General).then(|| self.pages.shortfall())?;
        finding.filter(|finding| finding.code == FindingCode::ListingIncomplete)
    }

    fn fall(
        &mut self,
        (method, pages): (ListingMethod, Box<dyn TagPages>),
        error: Option<RegistryError>,
        finding: Finding,
    ) {
        tracing::debug!(repository = %self.repository, %method, %finding, "listed in the last way");
        (self.method, self.pages) = (method, pages);
        self.way = Way::Last(Fallen {
            error,
            finding,
            told: false,
        });
    }

    /// Counts the general way as given up once the last one has worked: until then it is the list that has failed.
    fn tell(&mut self) {
        if let Way::Last(fallen) = &mut self.way
            && !std::mem::replace(&mut fallen.told, true)
        {
            self.listings
                .gave_up(ListingMethod::TagsList, fallen.finding.clone());
        }
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
        self.unlisted.clone().or_else(|| self.pages.shortfall())
    }
}

/// Whether names from elsewhere are of use when everybody's list fails so. They are of none to whoever has no right to the repository, does not
/// reach the registry at all, or has asked too much of it already: what the names stand for is asked of it as before.
fn names_would_help(error: &RegistryError) -> bool {
    let is_of_all = error.is_denied() || error.concerns_whole_registry();
    !is_of_all
        && !matches!(
            error.fault(),
            Fault::Address { .. }
                | Fault::PortClosed
                | Fault::ConnectTimedOut
                | Fault::Unreachable { .. }
                | Fault::ProxyUnreachable { .. }
                | Fault::RateLimited { .. }
                | Fault::TurnedAway
        )
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

    fn gave_up(&self, method: ListingMethod, finding: Finding) {
        self.with(method, |step| {
            step.given_up += 1;
            step.finding.get_or_insert(finding);
        });
    }

    pub(super) fn steps(&self) -> Vec<ListingStep> {
        self.state().clone()
    }
}
