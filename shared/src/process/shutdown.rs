//! Stopping in two stages: first drain, then cut.

use tokio_util::sync::CancellationToken;

/// Tells every task of a process when to stop. Cheap to clone.
///
/// *Drain*: take nothing new, finish what is at hand. *Cut*: return now. A cut includes a drain.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    drain: CancellationToken,
    cut: CancellationToken,
}

impl Shutdown {
    /// Nothing has been asked to stop yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks every task to finish what it has at hand and stop.
    pub fn start_drain(&self) {
        self.drain.cancel();
    }

    /// Asks every task to stop now.
    pub fn start_cut(&self) {
        self.drain.cancel();
        self.cut.cancel();
    }

    /// Whether draining has begun.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.drain.is_cancelled()
    }

    /// Returns once draining has begun.
    pub async fn draining(&self) {
        self.drain.cancelled().await;
    }

    /// Returns once everything must stop.
    pub async fn cutting(&self) {
        self.cut.cancelled().await;
    }
}
