//! Which sensors are shut out, known here within a quarter of a second of the commit that shut them out, whoever made it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use portolan_shared::model::{Reason, SensorId};
use portolan_shared::process::{Clock, Shutdown};
use portolan_shared::tls::DeniedSensors;
use portolan_store::{Denial, StoreError};

use super::App;

/// How often the database is asked.
const POLL: Duration = Duration::from_millis(250);
/// Age of the last answer from which on nothing is granted any more.
const STALE_AFTER: Duration = Duration::from_secs(5);
/// Most denials that one question answers.
const PAGE: usize = 10_000;

/// The sensors that are shut out, as far as the database has said.
pub struct Denials {
    clock: Arc<dyn Clock>,
    known: RwLock<HashMap<SensorId, Reason>>,
    epoch: AtomicU64,
    /// Uptime in milliseconds of the question that was last answered.
    answered: AtomicU64,
}

impl Denials {
    /// Nothing is known yet, and so nothing may be granted.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            known: RwLock::default(),
            epoch: AtomicU64::new(0),
            answered: AtomicU64::new(0),
        }
    }

    /// Why a sensor is shut out, if it is.
    #[must_use]
    pub fn reason(&self, sensor: SensorId) -> Option<Reason> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.get(&sensor).copied()
    }

    /// Whether what is known is recent enough to grant anything by it: sessions, work, certificates.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        let answered = self.answered.load(Ordering::Acquire);
        answered != 0 && self.millis().saturating_sub(answered) <= millis(STALE_AFTER)
    }

    /// Asks the database for what is new.
    pub async fn poll(&self, app: &App) -> Result<Vec<Denial>, StoreError> {
        let asked = self.millis();
        let mut new = Vec::new();
        if app.store.denial_epoch().await? > self.epoch.load(Ordering::Acquire) {
            loop {
                let page = app
                    .store
                    .denials_after(self.epoch.load(Ordering::Acquire))
                    .await?;
                let whole = page.len() < PAGE;
                let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
                for denial in &page {
                    match denial.reason {
                        Some(reason) => known.insert(denial.sensor, reason),
                        None => known.remove(&denial.sensor),
                    };
                    self.epoch.fetch_max(denial.epoch, Ordering::AcqRel);
                }
                drop(known);
                new.extend(page);
                if whole {
                    break;
                }
            }
        }
        self.answered.store(asked.max(1), Ordering::Release);
        Ok(new)
    }

    /// Keeps asking until everything is cut; calls `shut_out` for each denial that is new.
    pub async fn watch(
        self: Arc<Self>,
        app: Arc<App>,
        shutdown: Shutdown,
        shut_out: impl Fn(&Denial) + Send,
    ) {
        let mut warned = false;
        loop {
            tokio::select! {
                () = shutdown.cutting() => return,
                () = tokio::time::sleep(POLL) => {}
                () = app.signals.denials.notified() => {}
            }
            match self.poll(&app).await {
                Ok(new) => {
                    new.iter().for_each(&shut_out);
                    warned = false;
                }
                Err(error) => {
                    if !warned {
                        tracing::warn!(error = &error as &dyn std::error::Error, "denials cannot be read");
                    }
                    warned = true;
                }
            }
        }
    }

    fn millis(&self) -> u64 {
        millis(self.clock.uptime().0)
    }
}

impl DeniedSensors for Denials {
    fn is_denied(&self, sensor: SensorId) -> bool {
        self.reason(sensor).is_some()
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use portolan_shared::process::ManualClock;

    #[test]
    fn t19_nothing_is_granted_before_the_first_answer_nor_five_seconds_after_the_last() {
        let clock = Arc::new(ManualClock::at_unix_seconds(1_800_000_000));
        let denials = Denials::new(Arc::<ManualClock>::clone(&clock));
        assert!(!denials.is_fresh());
        denials.answered.store(denials.millis(), Ordering::Release);
        clock.advance(STALE_AFTER);
        assert!(denials.is_fresh());
        clock.advance(Duration::from_millis(1));
        assert!(!denials.is_fresh());
    }
}
