//! A place where requests wait, so that a test can act while they do.

use std::sync::Arc;

use tokio::sync::{Semaphore, watch};

/// Requests held at a gate wait until the test lets them through. Cheap to clone; starts closed.
#[derive(Debug, Clone)]
pub struct Gate(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    arrived: watch::Sender<usize>,
    passes: Semaphore,
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}

impl Gate {
    /// A closed gate.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Inner {
            arrived: watch::channel(0).0,
            passes: Semaphore::new(0),
        }))
    }

    /// Returns once `requests` in all have come to the gate: then they are known to be under way and unanswered.
    pub async fn arrived(&self, requests: usize) {
        // The sender lives as long as self, so this cannot fail.
        let _ = self
            .0
            .arrived
            .subscribe()
            .wait_for(|arrived| *arrived >= requests)
            .await;
    }

    /// Lets `requests` through: those that wait, in order of arrival, then those to come.
    pub fn pass(&self, requests: usize) {
        self.0.passes.add_permits(requests);
    }

    /// Lets everything through from now on.
    pub fn open(&self) {
        self.0.passes.close();
    }

    pub(super) async fn wait(&self) {
        self.0.arrived.send_modify(|arrived| *arrived += 1);
        // A closed semaphore is an open gate.
        if let Ok(pass) = self.0.passes.acquire().await {
            pass.forget();
        }
    }
}
