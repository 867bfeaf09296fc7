//! The one door to the registry: every request waits here for a place, and while the lease may be lost.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use futures::future::BoxFuture;
use portolan_shared::model::Finding;
use tokio::sync::{Semaphore, SemaphorePermit};

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
    }

    /// Makes a request when its turn has come.
    pub(super) async fn read<'r, T>(
        &'r self,
        request: impl FnOnce(&'s dyn Source) -> BoxFuture<'r, Result<T, SourceError>>,
    ) -> Result<T, SourceError>
    where
        's: 'r,
    {
        let _turn = self.turn().await?;
        self.note(request(self.source).await)
    }

    /// Lets a request that is ready to be made begin when its turn has come.
    pub(super) async fn during<T>(
        &self,
        request: impl Future<Output = Result<T, SourceError>>,
    ) -> Result<T, SourceError> {
        let _turn = self.turn().await?;
        self.note(request.await)
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
            Some(finding) => Err(SourceError {
                failure: Failure::Everywhere,
                finding: finding.clone(),
            }),
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
