//! Work finds its sensor: leases queued runs to connected sensors with free slots. What a lost sensor held comes back by `reaper`; how a
//! sensor learns that it must stop is `withdraw`.

use std::sync::Arc;
use std::time::Duration;

use portolan_shared::model::{AttemptRef, Finding, Reason, SensorId};
use portolan_shared::process::{Rng, Shutdown};
use portolan_store::{Fence, Leasable, StaleFence, StoreError};

use super::sessions::{LiveSession, SessionCommand, Sessions};
use super::{App, Denials, Meters};

/// How often the queue is looked at without being told to.
const POLL: Duration = Duration::from_millis(500);
/// Waiting runs that one look at the queue considers, of those that somebody with a free slot may have: those beyond wait for the next.
const QUEUE: u32 = 1_000;
/// First pause before a failed run is tried again; doubles with each attempt.
const FIRST_PAUSE: Duration = Duration::from_secs(30);
/// Longest pause before a failed run is tried again.
const LONGEST_PAUSE: Duration = Duration::from_secs(3_600);

/// Leases runs to the sessions of this process.
pub struct Dispatcher {
    pub(super) app: Arc<App>,
    pub(super) sessions: Arc<Sessions>,
    pub(super) denials: Arc<Denials>,
    meters: Arc<Meters>,
}

impl Dispatcher {
    /// Works with these.
    #[must_use]
    pub fn new(app: Arc<App>, sessions: Arc<Sessions>, denials: Arc<Denials>, meters: Arc<Meters>) -> Self {
        Self {
            app,
            sessions,
            denials,
            meters,
        }
    }

    /// Leases until draining begins.
    pub async fn lease(self: Arc<Self>, shutdown: Shutdown) {
        loop {
            tokio::select! {
                () = shutdown.draining() => return,
                () = tokio::time::sleep(POLL) => {}
                () = self.app.signals.runs.notified() => {}
            }
            if !self.denials.is_fresh() {
                continue;
            }
            if let Err(error) = self.lease_once().await {
                tracing::warn!(error = &error as &dyn std::error::Error, "runs were not leased");
            }
        }
    }

    async fn lease_once(&self) -> Result<(), StoreError> {
        let (store, now) = (&self.app.store, self.app.clock.now());
        let free = self.let_in(self.sessions.with_room());
        if !free.is_empty() {
            self.offer_each(store.leasable_runs(now, &free, QUEUE).await?)
                .await?;
        }
        let free = self.let_in(self.sessions.with_room_for_looks());
        if !free.is_empty() {
            self.offer_each(store.leasable_looks(now, &free, QUEUE).await?)
                .await?;
        }
        Ok(())
    }

    fn let_in(&self, mut sensors: Vec<SensorId>) -> Vec<SensorId> {
        sensors.retain(|sensor| self.denials.reason(*sensor).is_none());
        sensors
    }

    async fn offer_each(&self, leasable: Vec<Leasable>) -> Result<(), StoreError> {
        for leasable in leasable {
            match self.offer(&leasable).await {
                Ok(()) => {}
                // It would be the same with every other run.
                Err(error @ StoreError::Unavailable { .. }) => return Err(error),
                Err(error) => tracing::error!(
                    tenant = %leasable.tenant,
                    run = %leasable.run,
                    error = &error as &dyn std::error::Error,
                    "a run was not leased; the others are"
                ),
            }
        }
        Ok(())
    }

    /// Offers a run to the first of its sensors that is connected and has room.
    async fn offer(&self, leasable: &Leasable) -> Result<(), StoreError> {
        let fits = |session: &Arc<LiveSession>| {
            session.tenant == leasable.tenant
                && if leasable.look {
                    session.free_for_looks() > 0
                } else {
                    session.free() > 0
                }
                && self.denials.reason(session.sensor).is_none()
        };
        let sessions = leasable.sensors.iter().filter_map(|id| self.sessions.of(*id));
        for session in sessions.filter(fits) {
            let now = self.app.clock.now();
            let lease = self
                .app
                .store
                .lease_run(leasable.tenant, leasable.run, session.sensor, session.epoch, now)
                .await?;
            let Some(lease) = lease else { continue };
            let attempt = lease.attempt;
            self.meters.leases.inc();
            if !session.tell(SessionCommand::Offer(Box::new(lease))) {
                self.app
                    .store
                    .return_lease(&session.fence(attempt), self.app.clock.now())
                    .await
                    .or_else(ignore_stale)?;
                continue;
            }
            tracing::debug!(%attempt, sensor = %session.sensor, "leased");
            return Ok(());
        }
        Ok(())
    }
}

impl App {
    /// Ends an attempt that failed on the sensor, for the reason that it or this process gives. With `again` the run is queued once more after a pause that doubles with each attempt.
    pub async fn fail_attempt(
        &self,
        fence: &Fence,
        reason: Reason,
        finding: &Finding,
        again: bool,
    ) -> Result<(), StoreError> {
        let now = self.clock.now();
        let retry_at = if again {
            now.checked_add(pause(fence.attempt, self.rng.as_ref())).ok()
        } else {
            None
        };
        let failed = self.store.fail_attempt(fence, finding, retry_at, now).await;
        match failed {
            Ok(state) => {
                let object = format!("run:{}", fence.attempt.run);
                if reason == Reason::Unsupported {
                    self.note_unsupported(fence, object, finding).await;
                } else {
                    self.note_policy_refusal(fence.tenant, fence.sensor, object, finding)
                        .await;
                }
                self.note_refused_credential(fence, finding).await;
                tracing::info!(attempt = %fence.attempt, code = %finding.code, seen = finding.seen, %state, "an attempt failed");
                Ok(())
            }
            Err(error) => ignore_stale(error),
        }
    }

    /// Puts back a lease that was not taken up.
    pub async fn return_lease(&self, fence: &Fence) -> Result<(), StoreError> {
        let returned = self.store.return_lease(fence, self.clock.now()).await;
        self.signals.runs.notify_one();
        returned.or_else(ignore_stale)
    }
}

/// The pause before the attempt after this one: 30 s, doubled with each, at most an hour, give or take a fifth.
fn pause(attempt: AttemptRef, rng: &dyn Rng) -> Duration {
    let doubled = FIRST_PAUSE.saturating_mul(1 << attempt.attempt.saturating_sub(1).min(16));
    doubled.min(LONGEST_PAUSE).mul_f64(0.8 + 0.4 * rng.fraction())
}

/// What ends an attempt that is over already has nothing left to do.
fn ignore_stale(error: StoreError) -> Result<(), StoreError> {
    match error {
        StoreError::Stale(StaleFence::Attempt | StaleFence::Session | StaleFence::Run) => Ok(()),
        other => Err(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use portolan_shared::model::RunId;
    use portolan_shared::process::SeededRng;

    #[test]
    fn pauses_double_up_to_an_hour() {
        let rng = SeededRng::new(1);
        let run = RunId::random(&rng);
        for (number, seconds) in [
            (1, 30.0),
            (2, 60.0),
            (5, 480.0),
            (9, 3_600.0),
            (u32::MAX, 3_600.0),
        ] {
            let pause = pause(AttemptRef { run, attempt: number }, &rng).as_secs_f64();
            assert!(
                (seconds * 0.8..=seconds * 1.2).contains(&pause),
                "attempt {number}: {pause}"
            );
        }
    }
}
