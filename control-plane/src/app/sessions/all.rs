//! All sessions of this process.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jiff::Timestamp;
use portolan_shared::model::{Reason, SensorId};
use portolan_shared::process::Shutdown;
use portolan_store::{HeldAttempt, Seen, StoreError};

use super::live::LiveSession;
use crate::app::App;

/// How often last-seen times, and where sensors' audit logs stand, are written: one transaction each for all sensors.
const FLUSH: Duration = Duration::from_secs(5);

/// All sessions of this process.
#[derive(Debug, Default)]
pub struct Sessions {
    live: RwLock<HashMap<SensorId, Arc<LiveSession>>>,
}

impl Sessions {
    /// None.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a session in its place. An older one of the same sensor ends; if there is a newer one, this one ends.
    pub fn enter(&self, session: &Arc<LiveSession>) {
        let mut live = self.live.write().unwrap_or_else(PoisonError::into_inner);
        match live.get(&session.sensor) {
            Some(other) if other.epoch >= session.epoch => session.end(Reason::StaleSession),
            Some(older) => {
                older.end(Reason::StaleSession);
                live.insert(session.sensor, Arc::clone(session));
            }
            None => {
                live.insert(session.sensor, Arc::clone(session));
            }
        }
    }

    /// Takes a session away, unless a newer one has its place.
    pub fn leave(&self, session: &LiveSession) {
        let mut live = self.live.write().unwrap_or_else(PoisonError::into_inner);
        if live
            .get(&session.sensor)
            .is_some_and(|held| held.epoch == session.epoch)
        {
            live.remove(&session.sensor);
        }
    }

    /// The session of a sensor.
    #[must_use]
    pub fn of(&self, sensor: SensorId) -> Option<Arc<LiveSession>> {
        let live = self.live.read().unwrap_or_else(PoisonError::into_inner);
        live.get(&sensor).cloned()
    }

    /// Every session.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<LiveSession>> {
        let live = self.live.read().unwrap_or_else(PoisonError::into_inner);
        live.values().cloned().collect()
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.live.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Sensors that have room for work.
    #[must_use]
    pub fn with_room(&self) -> Vec<SensorId> {
        let live = self.live.read().unwrap_or_else(PoisonError::into_inner);
        live.values()
            .filter(|session| session.free() > 0)
            .map(|session| session.sensor)
            .collect()
    }

    /// Sensors that have room for a look at what events named.
    #[must_use]
    pub fn with_room_for_looks(&self) -> Vec<SensorId> {
        let live = self.live.read().unwrap_or_else(PoisonError::into_inner);
        live.values()
            .filter(|session| session.free_for_looks() > 0)
            .map(|session| session.sensor)
            .collect()
    }

    /// Sensors that know what a probe is.
    #[must_use]
    pub fn able_to_probe(&self) -> Vec<SensorId> {
        let live = self.live.read().unwrap_or_else(PoisonError::into_inner);
        live.values()
            .filter(|session| session.able_to_probe.load(Ordering::Acquire))
            .map(|session| session.sensor)
            .collect()
    }

    /// What all sensors have been given and have not been told to stop.
    #[must_use]
    pub fn held(&self) -> Vec<HeldAttempt> {
        let live = self.live.read().unwrap_or_else(PoisonError::into_inner);
        live.values().flat_map(|session| session.held()).collect()
    }

    /// Writes last-seen times, and where sensors' own audit logs stand, until everything is cut, and once more then.
    pub async fn flush(self: Arc<Self>, app: Arc<App>, shutdown: Shutdown) {
        loop {
            let last = tokio::select! {
                () = shutdown.cutting() => true,
                () = tokio::time::sleep(FLUSH) => false,
            };
            if let Err(error) = self.flush_once(&app).await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "last-seen times were not written"
                );
            }
            if let Err(error) = app.write_sensor_logs().await {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "where sensors' audit logs stand was not written");
            }
            if last {
                return;
            }
        }
    }

    async fn flush_once(&self, app: &App) -> Result<(), StoreError> {
        let changed: Vec<_> = self
            .all()
            .into_iter()
            .filter_map(|session| {
                let heard = session.heard.load(Ordering::Acquire);
                (heard > session.flushed.load(Ordering::Acquire)).then_some((session, heard))
            })
            .collect();
        if changed.is_empty() {
            return Ok(());
        }
        let seen: Vec<Seen> = changed
            .iter()
            .filter_map(|(session, heard)| {
                Some(Seen {
                    tenant: session.tenant,
                    sensor: session.sensor,
                    at: Timestamp::from_millisecond(*heard).ok()?,
                })
            })
            .collect();
        app.store.record_seen(&seen).await?;
        for (session, heard) in changed {
            session.flushed.store(heard, Ordering::Release);
        }
        Ok(())
    }
}
