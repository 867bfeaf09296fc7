//! Sensors learn that they must stop: at once if the run was cancelled here, else as soon as the database says that the lease is gone.

use std::sync::Arc;
use std::time::Duration;

use portolan_shared::model::{AttemptRef, Reason, SensorId};
use portolan_shared::process::Shutdown;
use portolan_store::StoreError;
use tokio::sync::broadcast::error::RecvError;

use super::sessions::SessionCommand;
use super::{CredentialNotice, Dispatcher};

/// How often the database is asked which of the attempts that run on this process's sessions have lost their leases.
const POLL: Duration = Duration::from_millis(500);

impl Dispatcher {
    /// Passes cancellations on to the sessions of this process until everything is cut. What was cancelled elsewhere, or faster than this
    /// could keep up with, is found in the database; should that fail too, the sensor's next heartbeat no longer renews the lease.
    pub async fn withdraw(self: Arc<Self>, shutdown: Shutdown) {
        let mut notices = self.app.signals.cancels.subscribe();
        let mut credentials = self.app.signals.credentials.subscribe();
        let mut poll = tokio::time::interval(POLL);
        poll.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut warned = false;
        loop {
            tokio::select! {
                () = shutdown.cutting() => return,
                notice = notices.recv() => match notice {
                    Ok(notice) => {
                        self.stop(notice.sensor, notice.attempt, Reason::Cancelled);
                        continue;
                    }
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return,
                },
                notice = credentials.recv() => {
                    self.pass_on_logged(notice).await;
                    continue;
                }
                _ = poll.tick() => {}
            }
            let asked = self.withdraw_once().await;
            if let Err(error) = &asked
                && !warned
            {
                tracing::warn!(
                    error = error as &dyn std::error::Error,
                    "withdrawn leases were not looked for"
                );
            }
            warned = asked.is_err();
        }
    }

    /// What was missed or failed comes with the next job, and is not used for long until then.
    async fn pass_on_logged(&self, notice: Result<CredentialNotice, RecvError>) {
        match notice {
            Ok(notice) => {
                if let Err(error) = self.pass_on(notice).await {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "news of a credential were not passed on");
                }
            }
            Err(RecvError::Lagged(missed)) => {
                tracing::warn!(missed, "news of credentials were not passed on");
            }
            // The sender is as old as this process.
            Err(RecvError::Closed) => {}
        }
    }

    /// Tells a sensor to stop, if it is connected here. If it does not keep up, it is told again when the database is next asked.
    fn stop(&self, sensor: SensorId, attempt: AttemptRef, reason: Reason) {
        if let Some(session) = self.sessions.of(sensor) {
            session.tell(SessionCommand::Cancel(attempt, reason));
        }
    }

    async fn withdraw_once(&self) -> Result<(), StoreError> {
        let held = self.sessions.held();
        if held.is_empty() {
            return Ok(());
        }
        for withdrawn in self.app.store.withdrawn_leases(&held).await? {
            let held = withdrawn.held;
            self.stop(held.sensor, held.attempt, withdrawn.reason);
        }
        Ok(())
    }
}
