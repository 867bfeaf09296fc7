//! One repository, or some of its tags, from the first question to the commit.

use std::sync::Arc;

use portolan_shared::model::{Finding, FindingCode, RepositoryName, RepositoryOutcome, TagName};
use portolan_shared::process::Uptime;
use tokio::sync::OnceCell;

use super::listing::{Listing, state_hash};
use super::place::Place;
use super::source::{Failure, Origin, SourceError};
use super::turns::Turn;
use super::upload::{ListedRepository, RepositoryTags, UploadError};
use super::walk::Run;

/// A repository that was found.
pub(super) struct Found {
    pub(super) name: RepositoryName,
    /// How it was found.
    pub(super) origin: Origin,
    /// If any, only these tags of it are looked at.
    pub(super) only: Vec<TagName>,
}

/// A repository to be read.
pub(super) struct ToRead {
    /// Its number in this run.
    pub(super) number: u64,
    pub(super) found: Found,
}

impl Run<'_> {
    /// Reads a repository, or some of its tags, when nobody else does, and commits what was seen. Whatever goes wrong in it is recorded and
    /// stays in it.
    pub(super) async fn read_repository(&self, to_read: ToRead) -> Result<(), UploadError> {
        let ToRead { number, found } = to_read;
        // Kept until what is seen from now on is durable.
        let turn = self.reader.unless_halted(self.turn(&found.name)).await;
        let _turn = match turn {
            Some(Some(turn)) => turn,
            Some(None) => {
                let busy = busy(&format!("another job of this sensor is reading {}", found.name));
                return self
                    .tally
                    .not_read(found.name, outcome(&busy), busy.finding)
                    .await;
            }
            None => return self.not_read(found.name).await,
        };
        if found.only.is_empty() {
            self.read_whole(number, found).await
        } else {
            self.read_tags(number, found).await
        }
    }

    /// The turn at a repository. Of a look it has its time: `None` if others kept it for longer.
    async fn turn(&self, repository: &RepositoryName) -> Option<Turn> {
        if self.is_look {
            self.turns.take_for_look(repository).await
        } else {
            Some(self.turns.take(repository).await)
        }
    }

    async fn read_whole(&self, number: u64, found: Found) -> Result<(), UploadError> {
        let Found { name, origin, .. } = found;
        let began = self.reader.now();
        // Kept until this repository's tags have been given up.
        let turn = OnceCell::new();
        let seen = self.list(&name, &turn).await;
        if self.reader.halted().is_some() {
            return self.not_read(name).await;
        }
        let listing = match seen {
            Ok(listing) => listing,
            // Every registry keeps a repository in its lists for a while after its last tag is gone, CNCF Distribution for ever.
            // Only its own word counts: a 404 of something in between would make tags vanish.
            Err(error) if error.failure == Failure::UnknownRepository && origin == Origin::Listed => {
                Listing::default()
            }
            Err(error) if error.failure == Failure::UnknownRepository && origin == Origin::Presumed => {
                self.tally.not_there();
                return Ok(());
            }
            Err(error) => return self.tally.not_read(name, outcome(&error), error.finding).await,
        };
        // A part that happens to equal what was committed before is no sign that nothing has changed.
        if listing.cut.is_none() {
            let listed = ListedRepository {
                repository: name.clone(),
                state_hash: state_hash(&listing.tags),
                tags: u32::try_from(listing.tags.len()).unwrap_or(u32::MAX),
                began,
            };
            if self.repository_questions.ask(vec![listed]).await == [false] {
                self.tally.committed();
                return Ok(());
            }
        }
        self.commit(Place::new(number, name), began, Vec::new(), listing)
            .await
    }

    async fn read_tags(&self, number: u64, found: Found) -> Result<(), UploadError> {
        let Found { name, only, .. } = found;
        let began = self.reader.now();
        let seen = self.look_up(&name, only).await;
        if self.reader.halted().is_some() {
            return self.not_read(name).await;
        }
        match seen {
            Ok((only, listing)) => self.commit(Place::new(number, name), began, only, listing).await,
            Err(error) => self.tally.not_read(name, outcome(&error), error.finding).await,
        }
    }

    /// Fetches what these tags point to and commits them: as the whole tag set, or as `only` some of it.
    async fn commit(
        &self,
        place: Place,
        began: Uptime,
        only: Vec<TagName>,
        listing: Listing,
    ) -> Result<(), UploadError> {
        self.fetch_content(&place, &listing.tags).await;
        let (name, shortfall) = place.into_parts();
        if self.reader.halted().is_some() {
            return self.not_read(name).await;
        }
        self.puts.all_stored().await;
        let (outcome, finding) = match (listing.cut, shortfall) {
            (Some(cut), _) => (RepositoryOutcome::Truncated, Some(cut)),
            (None, Some(shortfall)) => (RepositoryOutcome::Incomplete, Some(shortfall)),
            (None, None) => (RepositoryOutcome::Listed, listing.note),
        };
        let tags = RepositoryTags {
            repository: name,
            only,
            state_hash: state_hash(&listing.tags),
            tags: listing.tags,
            left_out: listing.left_out,
            outcome,
            finding,
            began,
        };
        self.upload.commit_repository(&Arc::new(tags)).await?;
        self.tally.committed();
        Ok(())
    }

    /// Tells of a repository that it was not read because the registry is not read any more.
    async fn not_read(&self, name: RepositoryName) -> Result<(), UploadError> {
        let finding = self.reader.why_halted().finding;
        self.tally
            .not_read(name, RepositoryOutcome::Failed, finding)
            .await
    }
}

/// That something was not looked at now, and why: another time it will be.
pub(super) fn busy(why: &str) -> SourceError {
    SourceError {
        failure: Failure::Passing,
        finding: Finding::new(FindingCode::RepositoryBusy, why),
    }
}

/// What became of a repository of which nothing could be seen.
fn outcome(error: &SourceError) -> RepositoryOutcome {
    if matches!(
        error.finding.code,
        FindingCode::PolicyRefused | FindingCode::AddressRefused
    ) {
        return RepositoryOutcome::Refused;
    }
    match error.failure {
        Failure::Missing | Failure::UnknownRepository => RepositoryOutcome::Missing,
        Failure::Denied => RepositoryOutcome::Denied,
        Failure::TooLarge | Failure::Passing | Failure::Lasting | Failure::Everywhere => {
            RepositoryOutcome::Failed
        }
    }
}
