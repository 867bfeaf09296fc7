//! Listing a repository: its tags, what each points to, and which of them are wanted.

use std::collections::HashSet;
use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt as _};
use futures::stream::{self, StreamExt as _};
use portolan_registry::{ListedTag, TagPage};
use portolan_shared::model::{
    Finding, FindingCode, RepositoryName, StateHash, StateHasher, TagName, TagObservation, limits,
};
use tokio::sync::{OnceCell, OwnedSemaphorePermit};

use super::below;
use super::source::{Failure, Pages, SourceError};
use super::walk::Run;

/// What a repository was seen to hold.
#[derive(Default)]
pub(super) struct Listing {
    /// Those that are wanted, sorted, each tag once.
    pub(super) tags: Vec<TagObservation>,
    /// Those that are not, sorted, each once.
    pub(super) left_out: Vec<TagName>,
    /// Why these are not all.
    pub(super) cut: Option<Finding>,
    /// Something worth knowing about a listing that is whole.
    pub(super) note: Option<Finding>,
}

/// What comes out of the listing while it is under way.
pub(super) enum Seen {
    Tag(TagObservation),
    /// Its name says that it is not wanted.
    LeftOut(TagName),
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
type Progress<'l> = (Box<dyn Pages<TagPage> + 'l>, usize);

enum Step {
    /// The list does not say what it points to.
    Resolve(ListedTag),
    Seen(Seen),
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
        let steps = stream::unfold(Some((pages, 0)), move |state| {
            self.next_page(repository, state, turn)
        });
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
                match self.still_listed(repository, &found.gone, &mut 0).await {
                    Ok(dangling) => found.dangling = dangling.len(),
                    Err(error) => found.broken = Some(error),
                }
            }
            let mut listing = found.into_listing(repository)?;
            self.leave_out(repository, &mut listing);
            Ok(listing)
        }
        .boxed()
    }

    /// Takes out what is not wanted for its age or its place in the order. That of part of a listing is certain too: whatever else there
    /// is can only push a tag further back.
    fn leave_out(&self, repository: &RepositoryName, listing: &mut Listing) {
        let by_name = listing.left_out.len();
        let judged = self.filter.select(&mut listing.tags, self.began);
        listing.left_out.extend(judged.tags);
        listing.left_out.sort_unstable();
        listing.left_out.dedup();
        let left_out = listing.left_out.len();
        self.tally.tags_left_out(left_out, left_out - by_name);
        if judged.times_unknown > 0 {
            listing.note.get_or_insert_with(|| {
                let seen = format!("{} tags of {repository}", judged.times_unknown);
                Finding::new(FindingCode::FilterTimesUnknown, &seen)
            });
        }
    }

    /// Of tags without a manifest, those that are listed if one asks again. Only a tag that is no longer listed is known to be gone: a
    /// registry that has lost a manifest, or hides it, still lists the tag. `asked` counts pages.
    pub(super) async fn still_listed(
        &self,
        repository: &RepositoryName,
        gone: &HashSet<TagName>,
        asked: &mut u32,
    ) -> Result<HashSet<TagName>, SourceError> {
        let mut pages = self.reader.source.tags(repository);
        let mut still = HashSet::new();
        let mut listed = 0;
        while let Some(page) = self.reader.during(pages.next()).await? {
            *asked = asked.saturating_add(1);
            listed += page.tags.len();
            if listed > limits::TAGS_PER_REPOSITORY {
                // Not read to its end: none of them is known to be gone.
                return Ok(gone.clone());
            }
            let names = page.tags.into_iter().map(|listed| listed.tag);
            still.extend(names.filter(|tag| gone.contains(tag)));
        }
        Ok(still)
    }

    fn next_page<'l>(
        &'l self,
        repository: &'l RepositoryName,
        state: Option<Progress<'l>>,
        turn: &'l OnceCell<OwnedSemaphorePermit>,
    ) -> BoxFuture<'l, Option<(Vec<Step>, Option<Progress<'l>>)>> {
        async move {
            let (mut pages, listed) = state?;
            let mut next = self.reader.during(pages.next()).await;
            if listed == 0 && pages.held() > self.pace.small_repository {
                if let Ok(permit) = Arc::clone(&self.large).try_acquire_owned() {
                    // Fails only if it has one already.
                    let _ = turn.set(permit);
                } else {
                    // Somebody else is at a large repository, and this one came in one piece: it is not kept until then, but read again.
                    drop((next, pages));
                    turn.get_or_init(|| self.large_turn()).await;
                    pages = self.reader.source.tags(repository);
                    next = self.reader.during(pages.next()).await;
                }
            }
            let mut page = match next {
                Ok(Some(page)) => page,
                Ok(None) => return None,
                Err(error) => return Some((vec![Step::Seen(Seen::Broken(error))], None)),
            };
            let room = limits::TAGS_PER_REPOSITORY - listed;
            let too_many = page.tags.len() > room;
            page.tags.truncate(room);
            let listed = listed + page.tags.len();
            if listed > self.pace.small_repository {
                turn.get_or_init(|| self.large_turn()).await;
            }
            let mut steps: Vec<Step> = page
                .tags
                .into_iter()
                .map(|listed| self.first_step(listed))
                .collect();
            if page.malformed > 0 {
                steps.push(Step::Seen(Seen::Malformed(page.malformed)));
            }
            if too_many {
                steps.push(Step::Seen(Seen::TooMany));
            }
            Some((steps, (!too_many).then_some((pages, listed))))
        }
        .boxed()
    }

    /// What is left out by its name costs no request, and neither does what the list tells everything of.
    fn first_step(&self, listed: ListedTag) -> Step {
        if !self.filter.matches(&listed.tag) {
            return Step::Seen(Seen::LeftOut(listed.tag));
        }
        let ListedTag {
            tag,
            digest: Some(digest),
            media_type,
            pushed_at,
        } = listed
        else {
            return Step::Resolve(listed);
        };
        self.tally.tag_seen();
        Step::Seen(Seen::Tag(TagObservation {
            tag,
            digest,
            media_type: media_type.map(below::interned),
            size: 0,
            pushed_at,
        }))
    }

    fn take_step<'l>(&'l self, repository: &'l RepositoryName, step: Step) -> BoxFuture<'l, Seen> {
        match step {
            Step::Resolve(listed) => self.resolve(repository, listed).boxed(),
            Step::Seen(seen) => std::future::ready(seen).boxed(),
        }
    }

    async fn large_turn(&self) -> OwnedSemaphorePermit {
        Arc::clone(&self.large)
            .acquire_owned()
            .await
            .expect("the semaphore lives as long as self and is never closed")
    }

    pub(super) async fn resolve(&self, repository: &RepositoryName, listed: ListedTag) -> Seen {
        let ListedTag {
            tag,
            media_type,
            pushed_at,
            ..
        } = listed;
        let resolved = self.reader.read(|source| source.resolve(repository, &tag)).await;
        match resolved {
            Ok(resolved) => {
                self.tally.tag_seen();
                Seen::Tag(TagObservation {
                    tag,
                    digest: resolved.digest,
                    media_type: resolved.media_type.or(media_type).map(below::interned),
                    size: resolved.size,
                    pushed_at,
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
    left_out: Vec<TagName>,
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
            Seen::LeftOut(tag) => self.left_out.push(tag),
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
        // They are kept until they are committed, and grew to twice their size.
        self.tags.shrink_to_fit();
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
            None => (self.dangling > 0).then(|| dangling(repository, self.dangling)),
        };
        let note = (self.malformed > 0).then(|| {
            let seen = format!("{} tags of {repository}", self.malformed);
            Finding::new(FindingCode::NameMalformed, &seen)
        });
        Ok(Listing {
            tags: self.tags,
            left_out: self.left_out,
            cut,
            note,
        })
    }
}

/// That tags are listed behind which there is nothing.
pub(super) fn dangling(repository: &RepositoryName, tags: usize) -> Finding {
    let seen = format!("{repository} lists {tags} tags that have no manifest");
    Finding::new(FindingCode::ManifestMissing, &seen)
}

/// The hash of a tag set.
pub(super) fn state_hash(tags: &[TagObservation]) -> StateHash {
    let mut hasher = StateHasher::new();
    for tag in tags {
        hasher.add(&tag.tag, &tag.digest);
    }
    hasher.finish()
}
