//! The one door to the registry: every request waits here for a place, and while the lease may be lost.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use futures::future::BoxFuture;
use portolan_shared::model::{Finding, FindingCode};
use portolan_shared::process::Uptime;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_util::sync::CancellationToken;

use super::lease::Lease;
use super::pace::Pace;
use super::pool::{Pool, Work};
use super::source::{Failure, Source, SourceError};

pub(super) struct Reader<'s> {
    pub(super) source: &'s dyn Source,
    places: Semaphore,
    lease: Lease,
    pool: Arc<Pool>,
    /// Why nothing more can be read of this registry.
    halted: OnceLock<Finding>,
    /// Set once that is so.
    stopped: CancellationToken,
    /// Set when requests that are on their way are not waited for either.
    cut: CancellationToken,
    failures: AtomicU32,
    most_failures: u32,
}

impl<'s> Reader<'s> {
    pub(super) fn new(source: &'s dyn Source, lease: Lease, pace: &Pace, pool: &Arc<Pool>) -> Self {
        Self {
            source,
            places: Semaphore::new(pace.requests.max(1)),
            lease,
            pool: Arc::clone(pool),
            halted: OnceLock::new(),
            stopped: CancellationToken::new(),
            cut: CancellationToken::new(),
            failures: AtomicU32::new(0),
            most_failures: pace.failures.max(1),
        }
    }

    /// Why nothing more can be read of this registry, once that is so.
    pub(super) fn halted(&self) -> Option<&Finding> {
        self.halted.get()
    }

    /// Nothing more is read of this registry.
    pub(super) fn halt(&self, finding: Finding) {
        // The first reason is the one that counts.
        let _ = self.halted.set(finding);
        self.stopped.cancel();
    }

    /// The time.
    pub(super) fn now(&self) -> Uptime {
        self.lease.now()
    }

    /// Waits for something that only whoever is going to read needs: `None` once nothing more is read.
    pub(super) async fn unless_halted<T>(&self, wanted: impl Future<Output = T>) -> Option<T> {
        self.stopped.run_until_cancelled(wanted).await
    }

    /// Nothing more is read of this registry, and what is on its way is given up.
    pub(super) fn cut(&self, finding: Finding) {
        self.halt(finding);
        self.cut.cancel();
    }

    /// The request's answer, unless reading is cut before it has come.
    async fn uncut<T>(
        &self,
        request: impl Future<Output = Result<T, SourceError>>,
    ) -> Result<T, SourceError> {
        match self.cut.run_until_cancelled(request).await {
            Some(answer) => answer,
            None => Err(self.why_halted()),
        }
    }

    /// What is told of whatever is not read any more.
    pub(super) fn why_halted(&self) -> SourceError {
        let finding = self.halted().cloned();
        SourceError {
            failure: Failure::Everywhere,
            finding: finding.unwrap_or_else(|| Finding::new(FindingCode::Internal, "reading was cut")),
        }
    }

    /// Makes a request when its turn has come.
    pub(super) async fn read<'r, T>(
        &'r self,
        request: impl FnOnce(&'s dyn Source) -> BoxFuture<'r, Result<T, SourceError>>,
    ) -> Result<T, SourceError>
    where
        's: 'r,
    {
        let answer = self.uncut(async {
            let _turn = self.turn().await?;
            request(self.source).await
        });
        self.note(answer.await)
    }

    /// Lets a request that is ready to be made begin when its turn has come.
    pub(super) async fn during<T>(
        &self,
        request: impl Future<Output = Result<T, SourceError>>,
    ) -> Result<T, SourceError> {
        let answer = self.uncut(async {
            let _turn = self.turn().await?;
            request.await
        });
        self.note(answer.await)
    }

    async fn turn(&self) -> Result<(SemaphorePermit<'_>, Work), SourceError> {
        let work = self.pool.work();
        let place = self
            .places
            .acquire()
            .await
            .expect("the semaphore lives as long as self and is never closed");
        self.lease.held().await;
        match self.halted() {
            Some(_) => Err(self.why_halted()),
            None => Ok((place, work)),
        }
    }

    /// A registry that has stopped answering is not asked for each of its tags, each with all retries.
    fn note<T>(&self, answer: Result<T, SourceError>) -> Result<T, SourceError> {
        match &answer {
            Err(error) => match error.failure {
                Failure::Everywhere => self.halt(error.finding.clone()),
                Failure::Passing => {
                    if self.failures.fetch_add(1, Ordering::Relaxed) + 1 >= self.most_failures {
                        self.halt(error.finding.clone());
                    }
                }
                Failure::Missing
                | Failure::UnknownRepository
                | Failure::Denied
                | Failure::TooLarge
                | Failure::Lasting => {
                    self.failures.store(0, Ordering::Relaxed);
                }
            },
            Ok(_) => self.failures.store(0, Ordering::Relaxed),
        }
        answer
    }
}
