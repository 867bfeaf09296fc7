//! Counts of a run, and its coverage on the way up.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use portolan_shared::model::{
    CoverageEntry, Finding, RepositoryName, RepositoryOutcome, RunProgress, limits,
};
use tokio::sync::watch;

use super::discovery::most_telling;
use super::source::Source;
use super::upload::{Upload, UploadError};

/// How many tags or manifests go by between two updates of the progress.
const STEP: u64 = 64;

pub(super) struct Tally<'r> {
    upload: &'r dyn Upload,
    source: &'r dyn Source,
    progress: watch::Sender<RunProgress>,
    found: AtomicU64,
    filtered: AtomicU64,
    done: AtomicU64,
    read: AtomicU64,
    tags: AtomicU64,
    tags_filtered: AtomicU64,
    manifests: AtomicU64,
    /// The most telling reason why a repository could not be read.
    reason: Mutex<Option<Finding>>,
    unreported: Mutex<Vec<CoverageEntry>>,
}

impl<'r> Tally<'r> {
    pub(super) fn new(
        upload: &'r dyn Upload,
        source: &'r dyn Source,
        progress: watch::Sender<RunProgress>,
    ) -> Self {
        Self {
            upload,
            source,
            progress,
            found: AtomicU64::new(0),
            filtered: AtomicU64::new(0),
            done: AtomicU64::new(0),
            read: AtomicU64::new(0),
            tags: AtomicU64::new(0),
            tags_filtered: AtomicU64::new(0),
            manifests: AtomicU64::new(0),
            reason: Mutex::default(),
            unreported: Mutex::default(),
        }
    }

    /// Repositories were found, and the patterns leave these of them out: the first [`limits::FILTERED_NAMED`] of an attempt are reported,
    /// all are counted.
    pub(super) async fn found(&self, found: usize, left_out: Vec<RepositoryName>) -> Result<(), UploadError> {
        self.found.fetch_add(found as u64, Ordering::Relaxed);
        let before = self.filtered.fetch_add(left_out.len() as u64, Ordering::Relaxed);
        self.show(false);
        let room = (limits::FILTERED_NAMED as u64).saturating_sub(before) as usize;
        for repository in left_out.into_iter().take(room) {
            self.report(CoverageEntry {
                repository,
                outcome: RepositoryOutcome::Filtered,
                finding: None,
            })
            .await?;
        }
        Ok(())
    }

    /// A repository that was presumed to be there is not.
    pub(super) fn not_there(&self) {
        self.found.fetch_sub(1, Ordering::Relaxed);
        self.show(false);
    }

    /// Repositories were committed by an earlier attempt.
    pub(super) fn committed_before(&self, repositories: u64) {
        self.done.fetch_add(repositories, Ordering::Relaxed);
        self.read.fetch_add(repositories, Ordering::Relaxed);
        self.show(false);
    }

    /// A repository was read and committed.
    pub(super) fn committed(&self) {
        self.done.fetch_add(1, Ordering::Relaxed);
        self.read.fetch_add(1, Ordering::Relaxed);
        self.show(false);
    }

    /// A tag was seen with what it points to.
    pub(super) fn tag_seen(&self) {
        if self.tags.fetch_add(1, Ordering::Relaxed).is_multiple_of(STEP) {
            self.show(false);
        }
    }

    /// Tags are left out by the filter; of these, `seen` were counted as seen.
    pub(super) fn tags_left_out(&self, left_out: usize, seen: usize) {
        self.tags_filtered.fetch_add(left_out as u64, Ordering::Relaxed);
        self.tags.fetch_sub(seen as u64, Ordering::Relaxed);
    }

    pub(super) fn manifest_fetched(&self) {
        if self
            .manifests
            .fetch_add(1, Ordering::Relaxed)
            .is_multiple_of(STEP)
        {
            self.show(false);
        }
    }

    /// A repository could not be read.
    pub(super) async fn not_read(
        &self,
        repository: RepositoryName,
        outcome: RepositoryOutcome,
        finding: Finding,
    ) -> Result<(), UploadError> {
        self.done.fetch_add(1, Ordering::Relaxed);
        self.show(false);
        self.note_reason(outcome, &finding);
        self.report(CoverageEntry {
            repository,
            outcome,
            finding: Some(finding),
        })
        .await
    }

    /// Reports an entry, with others as soon as they fill a page.
    async fn report(&self, entry: CoverageEntry) -> Result<(), UploadError> {
        let full = {
            let mut unreported = self.unreported.lock().unwrap_or_else(PoisonError::into_inner);
            unreported.push(entry);
            (unreported.len() >= limits::COVERAGE_ENTRIES_PER_PAGE).then(|| std::mem::take(&mut *unreported))
        };
        match full {
            Some(entries) => self.upload.report_coverage(&entries).await,
            None => Ok(()),
        }
    }

    /// One that is not there says nothing about the others.
    fn note_reason(&self, outcome: RepositoryOutcome, finding: &Finding) {
        if outcome == RepositoryOutcome::Missing {
            return;
        }
        let mut reason = self.reason.lock().unwrap_or_else(PoisonError::into_inner);
        let best = most_telling(reason.iter().chain([finding])).cloned();
        *reason = best;
    }

    /// Why repositories could not be read, if any could not: the most telling reason.
    pub(super) fn reason(&self) -> Option<Finding> {
        self.reason.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reports what has not been reported yet.
    pub(super) async fn report_rest(&self) -> Result<(), UploadError> {
        let rest = std::mem::take(&mut *self.unreported.lock().unwrap_or_else(PoisonError::into_inner));
        if rest.is_empty() {
            return Ok(());
        }
        self.upload.report_coverage(&rest).await
    }

    /// Whether any repository was read, in this attempt or an earlier one.
    pub(super) fn anything_read(&self) -> bool {
        self.read.load(Ordering::Relaxed) > 0
    }

    /// Found, and of these filtered.
    pub(super) fn repositories(&self) -> (u64, u64) {
        (
            self.found.load(Ordering::Relaxed),
            self.filtered.load(Ordering::Relaxed),
        )
    }

    /// Tags that were seen and are wanted.
    pub(super) fn tags(&self) -> u64 {
        self.tags.load(Ordering::Relaxed)
    }

    pub(super) fn tags_filtered(&self) -> u64 {
        self.tags_filtered.load(Ordering::Relaxed)
    }

    /// How far the run is, and shows it.
    pub(super) fn show(&self, discovered: bool) -> RunProgress {
        let (found, filtered) = self.repositories();
        self.progress.send_modify(|progress| {
            *progress = RunProgress {
                repositories_total: found - filtered,
                repositories_done: self.done.load(Ordering::Relaxed),
                tags: self.tags(),
                manifests: self.manifests.load(Ordering::Relaxed),
                requests: self.source.requests(),
                bytes_up: self.upload.bytes_sent(),
                discovered: discovered || progress.discovered,
            };
        });
        *self.progress.borrow()
    }
}
