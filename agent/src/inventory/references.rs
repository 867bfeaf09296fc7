//! Looking at single tags of a repository, without listing it.
//!
//! What was announced is asked for: whatever the announcement said of a tag, only the registry's answer counts. A tag that has an answer is
//! committed with it, and nothing is said of the others. A tag without a manifest is gone once a listing does not name it any more, here as
//! in a look at the whole: so a deletion costs a listing, and a push does not. Where the repository cannot be listed to its end nothing is gone;
//! also where the registry says that there is no such repository, because that is what many say of what one may not see. It is told as missing
//! then, and a sync of the whole registry finds out.

use std::collections::HashSet;

use futures::stream::{self, StreamExt as _};
use portolan_registry::ListedTag;
use portolan_shared::model::{Finding, RepositoryName, TagName, TagObservation};

use super::listing::{Listing, Seen, dangling};
use super::repository::busy;
use super::source::{Failure, SourceError};
use super::walk::Run;

/// What came of the tags that were asked for.
#[derive(Default)]
struct Answers {
    tags: Vec<TagObservation>,
    /// There is no manifest behind these.
    gone: HashSet<TagName>,
    /// Nothing is known of these.
    unknown: HashSet<TagName>,
    /// Why nothing is known of the first of them.
    why: Option<SourceError>,
}

impl Run<'_> {
    /// Asks what some tags of a repository point to. Gives the tags that have an answer, sorted, and the answers; an error if none has.
    ///
    /// What the filter leaves out by its name is not asked for. Age and order are not judged: the one is not told of a single tag, and the
    /// other is known of all tags together only.
    pub(super) async fn look_up(
        &self,
        repository: &RepositoryName,
        only: Vec<TagName>,
    ) -> Result<(Vec<TagName>, Listing), SourceError> {
        let (wanted, mut left_out): (Vec<TagName>, Vec<TagName>) =
            only.iter().cloned().partition(|tag| self.filter.matches(tag));
        let mut looks = stream::iter(wanted)
            .map(|tag| self.look_at(repository, tag))
            .buffer_unordered(self.pace.tags)
            .boxed();
        let mut answers = Answers::default();
        while let Some((tag, seen)) = looks.next().await {
            answers.take(tag, seen);
        }
        drop(looks);
        if !answers.gone.is_empty() {
            let listed = self.look_whether_listed(repository, &answers.gone).await;
            answers.check_gone(repository, listed);
        }
        self.tally.tags_left_out(left_out.len(), 0);
        left_out.sort_unstable();
        answers.into_listing(only, left_out)
    }

    /// Of tags without a manifest, those that are listed. An error if that is not to be found out now.
    async fn look_whether_listed(
        &self,
        repository: &RepositoryName,
        gone: &HashSet<TagName>,
    ) -> Result<HashSet<TagName>, SourceError> {
        if let Some(rest) = self.turns.rest(repository, self.reader.now()) {
            let (tags, seconds) = (gone.len(), rest.as_secs() + 1);
            return Err(busy(&format!(
                "{tags} tags of {repository} have no manifest; its long list is read again in {seconds} s at the earliest"
            )));
        }
        let mut pages = 0;
        let listed = self.still_listed(repository, gone, &mut pages).await;
        self.turns.listed(repository, pages, self.reader.now());
        listed
    }

    async fn look_at(&self, repository: &RepositoryName, tag: TagName) -> (TagName, Seen) {
        let named = ListedTag {
            tag: tag.clone(),
            digest: None,
            media_type: None,
            pushed_at: None,
        };
        (tag, self.resolve(repository, named).await)
    }
}

impl Answers {
    fn take(&mut self, tag: TagName, seen: Seen) {
        match seen {
            Seen::Tag(seen) => self.tags.push(seen),
            Seen::Gone(tag) => {
                self.gone.insert(tag);
            }
            Seen::Unresolved(error) | Seen::Broken(error) => self.not_known([tag], error),
            // Said of listings.
            Seen::LeftOut(_) | Seen::Malformed(_) | Seen::TooMany => {}
        }
    }

    fn not_known(&mut self, tags: impl IntoIterator<Item = TagName>, why: SourceError) {
        self.unknown.extend(tags);
        self.why.get_or_insert(why);
    }

    /// Takes in which of the tags that seem gone are listed nevertheless.
    fn check_gone(&mut self, repository: &RepositoryName, listed: Result<HashSet<TagName>, SourceError>) {
        match listed {
            Ok(listed) if listed.is_empty() => {}
            Ok(listed) => {
                self.gone.retain(|tag| !listed.contains(tag));
                let why = SourceError {
                    failure: Failure::Lasting,
                    finding: dangling(repository, listed.len()),
                };
                self.not_known(listed, why);
            }
            // Also if by its own word there is no such repository: many say the same of one that this credential must not see any more.
            Err(error) => {
                let gone = std::mem::take(&mut self.gone);
                self.not_known(gone, error);
            }
        }
    }

    fn into_listing(
        mut self,
        mut only: Vec<TagName>,
        left_out: Vec<TagName>,
    ) -> Result<(Vec<TagName>, Listing), SourceError> {
        only.retain(|tag| !self.unknown.contains(tag));
        only.sort_unstable();
        only.dedup();
        let cut = match self.why {
            Some(why) if only.is_empty() => return Err(why),
            Some(why) => {
                let seen = format!(
                    "of {} tags nothing is known: {}",
                    self.unknown.len(),
                    why.finding.seen
                );
                Some(Finding::new(why.finding.code, &seen))
            }
            None => None,
        };
        self.tags.sort_unstable_by(|a, b| a.tag.cmp(&b.tag));
        let listing = Listing {
            tags: self.tags,
            left_out,
            cut,
            note: None,
        };
        Ok((only, listing))
    }
}
