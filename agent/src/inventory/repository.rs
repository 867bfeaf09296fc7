//! One repository, from its tags to its commit.

use std::sync::Arc;

use portolan_shared::model::{FindingCode, OfferedRepository, RepositoryName, RepositoryOutcome};
use tokio::sync::OnceCell;

use super::listing::{Listing, state_hash};
use super::place::Place;
use super::source::{Failure, Origin, SourceError};
use super::upload::{RepositoryTags, UploadError};
use super::walk::Run;

/// A repository to be read.
pub(super) struct ToRead {
    /// Its number in this run.
    pub(super) number: u64,
    pub(super) name: RepositoryName,
    /// How it was found.
    pub(super) origin: Origin,
}

impl Run<'_> {
    /// Reads a repository and commits what was seen. Whatever goes wrong in it is recorded and stays in it.
    pub(super) async fn read_repository(&self, to_read: ToRead) -> Result<(), UploadError> {
        let ToRead { number, name, origin } = to_read;
        // Kept until this repository's tags have been given up.
        let turn = OnceCell::new();
        let seen = self.list(&name, &turn).await;
        if let Some(finding) = self.reader.halted() {
            return self
                .tally
                .not_read(name, RepositoryOutcome::Failed, finding.clone())
                .await;
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

        let state_hash = state_hash(&listing.tags);
        // A part that happens to equal what was committed before is no sign that nothing has changed.
        if listing.cut.is_none() {
            let offered = OfferedRepository {
                repository: name.clone(),
                state_hash,
                tags: u32::try_from(listing.tags.len()).unwrap_or(u32::MAX),
            };
            if self.repository_questions.ask(vec![offered]).await == [false] {
                self.tally.committed();
                return Ok(());
            }
        }

        let place = Place::new(number, name);
        self.fetch_content(&place, &listing.tags).await;
        let (name, shortfall) = place.into_parts();
        if let Some(finding) = self.reader.halted() {
            return self
                .tally
                .not_read(name, RepositoryOutcome::Failed, finding.clone())
                .await;
        }
        self.puts.all_stored().await;
        let (outcome, finding) = match (listing.cut, shortfall) {
            (Some(cut), _) => (RepositoryOutcome::Truncated, Some(cut)),
            (None, Some(shortfall)) => (RepositoryOutcome::Incomplete, Some(shortfall)),
            (None, None) => (RepositoryOutcome::Listed, listing.note),
        };
        let tags = RepositoryTags {
            repository: name,
            tags: listing.tags,
            left_out: listing.left_out,
            state_hash,
            outcome,
            finding,
        };
        self.upload.commit_repository(&Arc::new(tags)).await?;
        self.tally.committed();
        Ok(())
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
