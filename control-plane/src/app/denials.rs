//! Which sensors are shut out, known here within a quarter of a second of the commit that shut them out, whoever made it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use portolan_shared::model::{Reason, SensorId};
use portolan_shared::process::{Clock, Shutdown};
use portolan_shared::tls::DeniedSensors;
use portolan_store::{Denial, StoreError};

use super::App;
use super::sessions::LiveSession;
use super::staleness::Staleness;

/// How often the database is asked.
const POLL: Duration = Duration::from_millis(250);
/// Most denials that one question answers.
const PAGE: usize = 10_000;

/// The sensors that are shut out, as far as the database has said.
pub struct Denials {
    clock: Arc<dyn Clock>,
    known: RwLock<HashMap<SensorId, Reason>>,
    epoch: AtomicU64,
    /// Uptime in milliseconds of the question that was last answered.
    answered: AtomicU64,
    blind: AtomicBool,
}

/// Leave to give the sensor of a session something. Only [`Denials::grant`] makes one: nothing that takes it is handed out unasked.
#[derive(Debug, Clone, Copy)]
pub struct Grant<'a>(&'a LiveSession);

impl<'a> Grant<'a> {
    /// To whom.
    #[must_use]
    pub fn session(self) -> &'a LiveSession {
        self.0
    }
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
            blind: AtomicBool::new(false),
        }
    }

    /// Why a sensor is shut out, if it is.
    #[must_use]
    pub fn reason(&self, sensor: SensorId) -> Option<Reason> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.get(&sensor).copied()
    }

    /// How old what is known is; `None` as long as nothing is.
    #[must_use]
    pub fn age(&self) -> Option<Duration> {
        let answered = self.answered.load(Ordering::Acquire);
        (answered != 0).then(|| Duration::from_millis(self.millis().saturating_sub(answered)))
    }

    /// What follows from that age.
    #[must_use]
    pub(super) fn staleness(&self) -> Staleness {
        self.age().map_or(Staleness::Blind, Staleness::of)
    }

    /// Whether nothing may go on by what is known. Somebody looks at that twice: a process that was asleep asks first.
    #[must_use]
    pub fn is_blind(&self) -> bool {
        self.blind.load(Ordering::Acquire)
    }

    pub(super) fn set_blind(&self, blind: bool) {
        self.blind.store(blind, Ordering::Release);
    }

    /// Whether what is known is recent enough to grant anything by it: sessions, work, certificates, credentials.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        self.staleness() < Staleness::Stale
    }

    /// Leave to give the sensor of a session something, if it is not shut out and that is known well enough.
    #[must_use]
    pub fn grant<'a>(&self, session: &'a LiveSession) -> Option<Grant<'a>> {
        let may = self.is_fresh() && self.reason(session.sensor).is_none();
        may.then_some(Grant(session))
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
#[path = "denials_tests.rs"]
mod tests;
