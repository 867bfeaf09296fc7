//! Tasks that have a name and an owner.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio_util::task::TaskTracker;
use tracing::Instrument;

use super::Shutdown;

/// The tasks of a process. Whoever holds this owns them: it starts them, knows when all have ended, and notices when one panics,
/// which stops the process, because a process that lost a part of itself is worse than one that is started again.
#[derive(Debug, Clone)]
pub struct Tasks {
    tracker: TaskTracker,
    shutdown: Shutdown,
    failed: Arc<AtomicBool>,
}

impl Tasks {
    /// No tasks yet. A panic in any of them starts the drain of `shutdown`.
    #[must_use]
    pub fn new(shutdown: Shutdown) -> Self {
        Self {
            tracker: TaskTracker::new(),
            shutdown,
            failed: Arc::default(),
        }
    }

    /// Starts a task under a name for the log.
    #[expect(clippy::disallowed_methods, reason = "the one place where tasks are started")]
    pub fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let (shutdown, failed) = (self.shutdown.clone(), Arc::clone(&self.failed));
        let inner = tokio::spawn(
            self.tracker
                .track_future(task.instrument(tracing::debug_span!("task", name))),
        );
        self.tracker.spawn(async move {
            if let Err(error) = inner.await
                && error.is_panic()
            {
                tracing::error!(task = name, "a task panicked; the process stops");
                failed.store(true, Ordering::SeqCst);
                shutdown.start_drain();
            }
        });
    }

    /// The process's shutdown signal.
    #[must_use]
    pub fn shutdown(&self) -> &Shutdown {
        &self.shutdown
    }

    /// Whether any task panicked.
    #[must_use]
    pub fn any_failed(&self) -> bool {
        self.failed.load(Ordering::SeqCst)
    }

    /// Tasks that have not ended.
    #[must_use]
    pub fn running(&self) -> usize {
        self.tracker.len()
    }

    /// Returns once all tasks have ended. Call after the drain has begun.
    pub async fn ended(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_starts_the_drain() {
        let tasks = Tasks::new(Shutdown::new());
        let shutdown = tasks.shutdown().clone();
        tasks.spawn("well", async move { shutdown.draining().await });
        tasks.spawn("ill", async { panic!("on purpose") });
        tasks.ended().await;
        assert!(tasks.any_failed() && tasks.shutdown().is_draining());
    }
}
