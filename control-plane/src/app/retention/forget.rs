//! The task that forgets.

use std::sync::Arc;
use std::time::Duration;

use portolan_shared::process::Shutdown;
use portolan_store::StoreError;

use crate::app::App;

/// How often it is looked for what need not be kept any more.
const LOOK: Duration = Duration::from_secs(60);
/// Rows that are gone through in one transaction: others who write wait for it.
const ROWS: u32 = 2_000;
/// Between two of them.
const BREATH: Duration = Duration::from_millis(100);

impl App {
    /// Forgets what need not be kept any more, little by little, until draining begins.
    pub async fn keep_forgetting(self: Arc<Self>, shutdown: Shutdown) {
        loop {
            let pause = match self.forget_some().await {
                Ok(0) => LOOK,
                Ok(_) => BREATH,
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "what need not be kept any more was not removed");
                    LOOK
                }
            };
            tokio::select! {
                () = shutdown.draining() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Goes through a little of it; gives through how many rows, none if nothing is left.
    ///
    /// # Errors
    /// The database's.
    pub async fn forget_some(&self) -> Result<u64, StoreError> {
        self.store.forget_past(self.clock.now(), ROWS).await
    }
}
