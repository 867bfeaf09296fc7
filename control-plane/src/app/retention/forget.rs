//! The task that forgets.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use portolan_shared::process::Shutdown;
use portolan_store::StoreError;

use super::clocks::{Clocks, TOLD_WITHIN};
use crate::app::App;

/// How often it is looked for what need not be kept any more.
const LOOK: Duration = Duration::from_secs(60);
/// Rows that are gone through in one transaction: others who write wait for it.
const ROWS: u32 = 2_000;
/// Between two of them.
const BREATH: Duration = Duration::from_millis(100);

impl App {
    /// Clears away what removed registries left behind, and forgets what need not be kept any more, little by little, until draining begins; the
    /// latter only while the time is to be believed.
    pub async fn keep_forgetting(self: Arc<Self>, shutdown: Shutdown) {
        let mut clocks = Clocks::begin(&*self.clock);
        loop {
            let done = match self.store.clear_removed(ROWS).await {
                Ok(0) => self.forget_if_sure(&mut clocks).await,
                cleared => cleared,
            };
            let pause = match done {
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

    async fn forget_if_sure(&self, clocks: &mut Clocks) -> Result<u64, StoreError> {
        let Some(now) = clocks.look(&*self.clock) else {
            return Ok(0);
        };
        let until = now.saturating_add(TOLD_WITHIN).unwrap_or(Timestamp::MAX);
        let told = self.store.time_told_by_sensors(until).await?;
        if !clocks.confirmed(now, told) {
            return Ok(0);
        }
        self.store.forget_past(now, ROWS).await
    }

    /// Goes through a little of what need not be kept by the present time, whatever that is worth; gives through how many rows, none if nothing is
    /// left.
    ///
    /// # Errors
    /// The database's.
    pub async fn forget_some(&self) -> Result<u64, StoreError> {
        self.store.forget_past(self.clock.now(), ROWS).await
    }
}
