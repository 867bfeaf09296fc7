//! The calls of the upload service as use cases.

use std::time::Duration;

use portolan_shared::model::{
    ContentKind, CoverageEntry, Digest, Finding, FindingCode, OfferedRepository, Reason, RepositoryName,
    RunProgress, RunState,
};
use portolan_store::{
    ClosedRun, Fence, RepositoryCommit, RepositoryCommitted, RunClosing, StaleFence, StoreError,
};

use super::{Batch, BatchError, TagSetError};
use crate::app::{App, Meters};

/// Refused batches of one attempt after which the attempt fails.
const REFUSED_BATCHES: u32 = 3;
/// Bytes of a batch from which on it is verified off the reactor, which must not stand still for longer than ten milliseconds.
const INLINE_BYTES: usize = 512 * 1024;

/// Why something that was sent up had no effect.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The batch is not acceptable.
    #[error("the batch was refused: {0}")]
    Batch(BatchError),
    /// The tag set is not acceptable.
    #[error("the tag set was refused: {0}")]
    TagSet(#[from] TagSetError),
    /// The database refused or failed.
    #[error("what was sent up could not be stored")]
    Store(#[from] StoreError),
    /// The process is stopping.
    #[error("the verification was interrupted")]
    Interrupted,
}

impl App {
    /// Whether an attempt is leased to its sensor in this session now: [`StoreError::Stale`] if not.
    pub async fn check_fence(&self, fence: &Fence) -> Result<(), StoreError> {
        self.watched(fence, self.store.check_fence(fence).await)
    }

    /// For each repository, whether the run has yet to commit it.
    pub async fn pending_repositories(
        &self,
        meters: &Meters,
        fence: &Fence,
        repositories: &[RepositoryName],
    ) -> Result<Vec<bool>, StoreError> {
        let store = self.store.pending_repositories(fence, repositories);
        self.metered(meters, "pending_repositories", fence, store).await
    }

    /// For each repository, whether it has changed; those that have not are committed.
    pub async fn offer_repositories(
        &self,
        meters: &Meters,
        fence: &Fence,
        offered: &[OfferedRepository],
    ) -> Result<Vec<bool>, StoreError> {
        let now = self.clock.now();
        let store = self.store.offer_repositories(fence, offered, now);
        self.metered(meters, "offer_repositories", fence, store).await
    }

    /// For each digest, whether the tenant lacks it.
    pub async fn offer_digests(
        &self,
        meters: &Meters,
        fence: &Fence,
        kind: ContentKind,
        digests: &[Digest],
    ) -> Result<Vec<bool>, StoreError> {
        let store = self.store.offer_digests(fence, kind, digests);
        self.metered(meters, "offer_digests", fence, store).await
    }

    /// Verifies a batch and stores it, as a whole or not at all. The third batch of an attempt with content that does not hash to its
    /// digest fails the attempt.
    pub async fn put_content(
        &self,
        meters: &Meters,
        fence: &Fence,
        batch: Batch,
    ) -> Result<u32, IngestError> {
        let verified = if batch.bytes() <= INLINE_BYTES {
            batch.verify()
        } else {
            tokio::task::spawn_blocking(move || batch.verify())
                .await
                .map_err(|_| IngestError::Interrupted)?
        };
        let content = match verified {
            Ok(content) => content,
            Err(error) => {
                if let BatchError::Mismatch(digest) = &error {
                    self.note_mismatch(fence, digest).await?;
                }
                return Err(IngestError::Batch(error));
            }
        };
        let now = self.clock.now();
        let stored = self
            .metered(
                meters,
                "put_content",
                fence,
                self.store.put_content(fence, &content, now),
            )
            .await?;
        meters.content_stored.inc_by(stored.into());
        Ok(stored)
    }

    /// Notes a mismatch that was seen while a batch was still coming in.
    pub async fn note_mismatch(&self, fence: &Fence, digest: &Digest) -> Result<(), StoreError> {
        let times = self.watched(fence, self.store.record_refused_batch(fence).await)?;
        tracing::warn!(attempt = %fence.attempt, %digest, times, "content does not hash to its digest");
        if times >= REFUSED_BATCHES {
            let seen = format!("{digest}, for the {times}. time");
            let finding = Finding::new(FindingCode::DigestMismatch, &seen);
            self.fail_attempt(fence, Reason::Internal, &finding, false)
                .await?;
        }
        Ok(())
    }

    /// Replaces the tag set of a repository.
    pub async fn commit_repository(
        &self,
        meters: &Meters,
        fence: &Fence,
        commit: &RepositoryCommit,
    ) -> Result<RepositoryCommitted, StoreError> {
        let now = self.clock.now();
        let committed = self
            .metered(
                meters,
                "commit_repository",
                fence,
                self.store.commit_repository(fence, commit, now),
            )
            .await?;
        meters.tags_committed.inc_by(commit.tags.len() as u64);
        if committed != RepositoryCommitted::default() {
            self.tell_of_changes(fence.tenant);
        }
        Ok(committed)
    }

    /// Notes what came of repositories that could not be committed.
    pub async fn report_coverage(
        &self,
        meters: &Meters,
        fence: &Fence,
        entries: &[CoverageEntry],
    ) -> Result<(), StoreError> {
        let now = self.clock.now();
        let store = self.store.report_coverage(fence, entries, now);
        self.metered(meters, "report_coverage", fence, store).await
    }

    /// Closes the run; repeating it gives the stored outcome. The progress is the attempt's last word on it.
    pub async fn close_run(
        &self,
        meters: &Meters,
        fence: &Fence,
        closing: &RunClosing,
        progress: Option<&RunProgress>,
    ) -> Result<ClosedRun, StoreError> {
        let now = self.clock.now();
        if let Some(progress) = progress {
            // Before the close, after which the fence lets nothing pass: then what was recorded the first time stands.
            match self.store.record_progress(fence, progress, now).await {
                Ok(()) | Err(StoreError::Stale(_)) => {}
                Err(error) => return Err(error),
            }
        }
        let closed = self
            .metered(
                meters,
                "close_run",
                fence,
                self.store.close_run(fence, closing, now),
            )
            .await?;
        if let (Some(finding), false) = (&closing.failure, closed.again) {
            let object = format!("run:{}", fence.attempt.run);
            self.note_policy_refusal(fence.tenant, fence.sensor, object, finding)
                .await;
        }
        if closed.repositories_vanished > 0 {
            self.tell_of_changes(fence.tenant);
        }
        self.tell_of_closing(fence, &closed).await;
        // Events may have waited for its end, and what it found may call for another look soon.
        self.signals.schedule.notify_one();
        Ok(closed)
    }

    /// Logs how a run ended: as a warning if something could not be seen.
    async fn tell_of_closing(&self, fence: &Fence, closed: &ClosedRun) {
        let (attempt, state) = (fence.attempt, closed.state);
        // It is closed, whether or not it can be read again; then the line has no more than is known here.
        let run = self.store.run(fence.tenant, attempt.run).await.ok().flatten();
        let registry = run
            .as_ref()
            .map(|run| tracing::field::display(&run.registry_name));
        let finding = run.as_ref().and_then(|run| run.finding.as_ref());
        let (code, seen) = (
            finding.map(|finding| tracing::field::display(finding.code)),
            finding.map(|finding| finding.seen.as_str()),
        );
        if state == RunState::Complete {
            tracing::info!(%attempt, %state, registry, again = closed.again, "run closed");
        } else {
            tracing::warn!(%attempt, %state, registry, finding = code, seen, again = closed.again, "run closed");
        }
    }

    async fn metered<T>(
        &self,
        meters: &Meters,
        call: &str,
        fence: &Fence,
        store: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let began = self.clock.uptime();
        let outcome = store.await;
        let took: Duration = self.clock.uptime().since(began);
        meters
            .ingest_seconds
            .with_label_values(&[call])
            .observe(took.as_secs_f64());
        self.watched(fence, outcome)
    }

    /// Passes on what came of a call; says so where it is listened for if the tenant has no such run.
    fn watched<T>(&self, fence: &Fence, outcome: Result<T, StoreError>) -> Result<T, StoreError> {
        if let Err(StoreError::Stale(StaleFence::Run)) = outcome {
            // Without a receiver the process is stopping.
            let _ = self.signals.foreign_ids.send(*fence);
        }
        outcome
    }
}
