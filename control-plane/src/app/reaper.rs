//! What a lost sensor held comes back: leases that ran out are taken away. Never one that a session of this process holds, and never more at
//! once than [`Breaker`] lets through.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use portolan_shared::model::{RunState, TenantId};
use portolan_shared::process::Shutdown;
use portolan_store::{AuditEntry, AuditSeverity, HeldAttempt, StoreError};
use serde_json::{Value, json};

use super::breaker::Breaker;
use super::mercy::Mercy;
use super::sessions::Sessions;
use super::{App, Meters};

/// How often lost leases are looked for.
const REAP: Duration = Duration::from_secs(1);
/// Time after the start, or after a leap of the clock, in which no lease is taken away: while this process was not there, nobody could
/// renew one.
const MERCY: Duration = Duration::from_secs(30);

/// Takes leases away that ran out.
pub struct Reaper {
    app: Arc<App>,
    sessions: Arc<Sessions>,
    meters: Arc<Meters>,
    breaker: Breaker,
}

impl Reaper {
    /// Works with these.
    #[must_use]
    pub fn new(app: Arc<App>, sessions: Arc<Sessions>, meters: Arc<Meters>) -> Self {
        Self {
            app,
            sessions,
            meters,
            breaker: Breaker::default(),
        }
    }

    /// Reaps until everything is cut.
    pub async fn reap(mut self, shutdown: Shutdown) {
        let mut mercy = Mercy::begin(&self.app, MERCY);
        loop {
            tokio::select! {
                () = shutdown.cutting() => return,
                () = tokio::time::sleep(REAP) => {}
            }
            if mercy.holds(&self.app) {
                continue;
            }
            if let Err(error) = self.reap_once().await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "lost leases were not looked for"
                );
            }
        }
    }

    /// Looks once.
    ///
    /// # Errors
    /// The database's.
    pub async fn reap_once(&mut self) -> Result<(), StoreError> {
        let store = &self.app.store;
        let mut expired = store.expired_leases(self.app.clock.now()).await?;
        if !expired.is_empty() {
            let live: BTreeSet<_> = self
                .sessions
                .held()
                .iter()
                .map(|held| (held.sensor, held.attempt))
                .collect();
            expired.retain(|held| !live.contains(&(held.sensor, held.attempt)));
        }
        if expired.is_empty() && !self.breaker.is_open() {
            return Ok(());
        }
        let active = store.active_sensors().await?;
        let was_open = self.breaker.is_open();
        let lost: Vec<_> = expired.iter().map(|held| held.sensor).collect();
        let let_through = self.breaker.let_through(&lost, active, self.app.clock.uptime());
        let waiting = expired.clone();
        expired.retain(|held| let_through.contains(&held.sensor));
        self.take(&expired).await?;
        match (was_open, self.breaker.is_open()) {
            (false, true) => self.stopped(&waiting, active).await?,
            (true, false) => {
                self.meters.reapers_stopped.dec();
                tracing::warn!("leases that run out are taken away again");
            }
            _ => {}
        }
        Ok(())
    }

    async fn take(&self, expired: &[HeldAttempt]) -> Result<(), StoreError> {
        if expired.is_empty() {
            return Ok(());
        }
        let lost = self
            .app
            .store
            .requeue_expired(self.app.clock.now(), expired)
            .await?;
        for lease in &lost {
            tracing::warn!(
                attempt = %lease.attempt,
                sensor = %lease.sensor,
                state = %lease.state,
                "a lease ran out"
            );
            self.meters.leases_lost.inc();
        }
        if lost.iter().any(|lease| lease.state == RunState::Queued) {
            self.app.signals.runs.notify_one();
        }
        Ok(())
    }

    async fn stopped(&self, expired: &[HeldAttempt], active: u64) -> Result<(), StoreError> {
        self.meters.reapers_stopped.inc();
        let sensors: BTreeSet<_> = expired.iter().map(|held| held.sensor).collect();
        let tenants = expired.iter().map(|held| held.tenant).collect();
        let details = json!({ "sensors": sensors.len(), "active": active });
        self.app
            .alarm_of_reaper("leases.reaper_stopped", tenants, details)
            .await
    }
}

impl App {
    /// Tells everybody that something is not taken away any more, because suddenly it would be taken from too many.
    pub(super) async fn alarm_of_reaper(
        &self,
        action: &str,
        tenants: BTreeSet<TenantId>,
        details: Value,
    ) -> Result<(), StoreError> {
        tracing::error!(
            action,
            %details,
            "too many sensors look lost at once: nothing more is taken from any; look into the control plane and its clock first"
        );
        for tenant in tenants {
            let entry = AuditEntry {
                at: self.clock.now(),
                actor: "system".to_owned(),
                action: action.to_owned(),
                object: "control-plane".to_owned(),
                severity: AuditSeverity::High,
                details: details.clone(),
            };
            self.store.append_audit(tenant, &entry).await?;
        }
        Ok(())
    }
}
