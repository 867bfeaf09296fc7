//! Listing a repository: its tags, and what each points to.

use std::collections::HashSet;
use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt as _};
use futures::stream::{self, StreamExt as _};
use portolan_shared::model::{
    Finding, FindingCode, RepositoryName, StateHash, StateHasher, TagName, TagObservation, limits,
};
use tokio::sync::{OnceCell, OwnedSemaphorePermit};

use super::below;
use super::source::{Failure, Pages, SourceError};
use super::walk::Run;

/// What a repository was seen to hold.
pub(super) struct Listing {
    /// Sorted, each tag once.
    pub(super) tags: Vec<TagObservation>,
    /// Why these are not all.
    pub(super) cut: Option<Finding>,
    /// Something worth knowing about a listing that is whole.
    pub(super) note: Option<Finding>,
}

/// What comes out of the listing while it is under way.
enum Seen {
    Tag(TagObservation),
    /// There is no manifest behind it: deleted meanwhile, or broken.
    Gone(TagName),
    Unresolved(SourceError),
    Malformed(u64),
    /// The listing ended before its end.
    Broken(SourceError),
    /// There are more tags than are kept.
    TooMany,
}

/// The rest of a listing, and how many names came before it.
type Progress<'l> = (Box<dyn Pages<TagName> + 'l>, usize);

enum Step {
    Name(TagName),
    Other(Seen),
}

impl Run<'_> {
    /// Lists a repository. Tags are resolved while further pages are on their way. An error means that nothing was seen.
    ///
    /// `turn` is kept by the caller for as long as it keeps the tags: it is what bounds large repositories to one at a time.
    pub(super) fn list<'l>(
        &'l self,
        repository: &'l RepositoryName,
        turn: &'l OnceCell<OwnedSemaphorePermit>,
    ) -> BoxFuture<'l, Result<Listing, SourceError>> {
        let pages = self.reader.source.tags(repository);
        let steps = stream::unfold(Some((pages, 0)), move |state| self.next_page(state, turn));
        let mut seen = steps
            .flat_map(stream::iter)
            .map(move |step| self.take_step(repository, step))
            .buffer_unordered(self.pace.tags)
            .boxed();
        async move {
            let mut found = Found::default();
            while let Some(seen) = seen.next().await {
                found.take(seen);
            }
            drop(seen);
            if !found.gone.is_empty() && found.broken.is_none() {
                match self.still_listed(repository, &found.gone).await {
                    Ok(dangling) => found.dangling = dangling,
                    Err(error) => found.broken = Some(error),
                }
            }
            found.into_listing(repository)
        }
        .boxed()
    }

    /// Of tags without a manifest, how many are listed if one asks again. Only a tag that is no longer listed is known to be gone: a
    /// registry that has lost a manifest, or hides it, still lists the tag.
    async fn still_listed(
        &self,
        repository: &RepositoryName,
        gone: &HashSet<TagName>,
    ) -> Result<usize, SourceError> {
        let mut pages = self.reader.source.tags(repository);
        let mut still = HashSet::new();
        let mut listed = 0;
        while let Some(page) = self.reader.page(&mut *pages).await? {
            listed += page.names.len();
            if listed > limits::TAGS_PER_REPOSITORY {
                // Not read to its end: none of them is known to be gone.
                return Ok(gone.len());
            }
            still.extend(page.names.into_iter().filter(|tag| gone.contains(tag)));
        }
        Ok(still.len())
    }

    fn next_page<'l>(
        &'l self,
        state: Option<Progress<'l>>,
        turn: &'l OnceCell<OwnedSemaphorePermit>,
    ) -> BoxFuture<'l, Option<(Vec<Step>, Option<Progress<'l>>)>> {
        async move {
            let (mut pages, listed) = state?;
            let mut page = match self.reader.page(&mut *pages).await {
                Ok(Some(page)) => page,
                Ok(None) => return None,
                Err(error) => return Some((vec![Step::Other(Seen::Broken(error))], None)),
            };
            let room = limits::TAGS_PER_REPOSITORY - listed;
            let too_many = page.names.len() > room;
            page.names.truncate(room);
            let listed = listed + page.names.len();
            if listed > self.pace.small_repository {
                turn.get_or_init(|| self.large_turn()).await;
            }
            let mut steps: Vec<Step> = page.names.into_iter().map(Step::Name).collect();
            if page.malformed > 0 {
                steps.push(Step::Other(Seen::Malformed(page.malformed)));
            }
            if too_many {
                steps.push(Step::Other(Seen::TooMany));
            }
            Some((steps, (!too_many).then_some((pages, listed))))
        }
        .boxed()
    }

    fn take_step<'l>(&'l self, repository: &'l RepositoryName, step: Step) -> BoxFuture<'l, Seen> {
        match step {
            Step::Name(tag) => self.resolve(repository, tag).boxed(),
            Step::Other(seen) => std::future::ready(seen).boxed(),
        }
    }

    async fn large_turn(&self) -> OwnedSemaphorePermit {
        Arc::clone(&self.large)
            .acquire_owned()
            .await
            .expect("the semaphore lives as long as self and is never closed")
    }

    async fn resolve(&self, repository: &RepositoryName, tag: TagName) -> Seen {
        let resolved = self.reader.read(|source| source.resolve(repository, &tag)).await;
        match resolved {
            Ok(resolved) => {
                self.tally.tag_resolved();
                Seen::Tag(TagObservation {
                    tag,
                    digest: resolved.digest,
                    media_type: resolved.media_type.map(below::interned),
                    size: resolved.size,
                    pushed_at: None,
                })
            }
            Err(error) if error.failure == Failure::Missing => Seen::Gone(tag),
            Err(error) => Seen::Unresolved(error),
        }
    }
}

/// Puts a listing together. Pure.
#[derive(Default)]
struct Found {
    tags: Vec<TagObservation>,
    gone: HashSet<TagName>,
    /// How many of `gone` are still listed.
    dangling: usize,
    malformed: u64,
    unresolved: u64,
    first_unresolved: Option<SourceError>,
    broken: Option<SourceError>,
    too_many: bool,
}

impl Found {
    fn take(&mut self, seen: Seen) {
        match seen {
            Seen::Tag(tag) => self.tags.push(tag),
            Seen::Gone(tag) => {
                self.gone.insert(tag);
            }
            Seen::Malformed(count) => self.malformed += count,
            Seen::Unresolved(error) => {
                self.unresolved += 1;
                self.first_unresolved.get_or_insert(error);
            }
            Seen::Broken(error) => self.broken = Some(error),
            Seen::TooMany => self.too_many = true,
        }
    }

    fn into_listing(mut self, repository: &RepositoryName) -> Result<Listing, SourceError> {
        let deleted = self.gone.len() - self.dangling;
        if deleted > 0 {
            tracing::debug!(%repository, tags = deleted, "tags were deleted while they were being read");
        }
        self.tags.sort_unstable_by(|a, b| a.tag.cmp(&b.tag));
        self.tags.dedup_by(|a, b| a.tag == b.tag);
        let broken = self.broken.or_else(|| {
            let first = self.first_unresolved?;
            let seen = format!(
                "{} tags could not be resolved, one because: {}",
                self.unresolved, first.finding.seen
            );
            Some(SourceError {
                failure: first.failure,
                finding: Finding::new(first.finding.code, &seen),
            })
        });
        let cut = match broken {
            Some(error) if self.tags.is_empty() => return Err(error),
            Some(error) => Some(error.finding),
            None if self.too_many => {
                let seen = format!("{repository} has more than {} tags", limits::TAGS_PER_REPOSITORY);
                Some(Finding::new(FindingCode::RepositoryTruncated, &seen))
            }
            None => (self.dangling > 0).then(|| {
                let seen = format!("{repository} lists {} tags that have no manifest", self.dangling);
                Finding::new(FindingCode::ManifestMissing, &seen)
            }),
        };
        let note = (self.malformed > 0).then(|| {
            let seen = format!("{} tags of {repository}", self.malformed);
            Finding::new(FindingCode::NameMalformed, &seen)
        });
        Ok(Listing {
            tags: self.tags,
            cut,
            note,
        })
    }
}

/// The hash of a tag set.
pub(super) fn state_hash(tags: &[TagObservation]) -> StateHash {
    let mut hasher = StateHasher::new();
    for tag in tags {
        hasher.add(&tag.tag, &tag.digest);
    }
    hasher.finish()
}
