//! Bringing probes to the sessions of this process, and reports to the database.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use portolan_shared::model::{Diagnosis, ProbeId, Stage, Verdict};
use portolan_shared::process::Shutdown;
use portolan_store::{ProbeReport, StoreError};

use crate::app::{App, Dispatcher, LiveSession, SessionCommand};

/// How often waiting probes are looked for without being told to.
const POLL: Duration = Duration::from_millis(500);
/// Probes that one look considers: those beyond wait for the next.
const AT_ONCE: u32 = 256;
/// How often old probes are looked for.
const CLEANING: Duration = Duration::from_secs(600);
/// How long a probe is kept.
const KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);

impl Dispatcher {
    /// Brings probes to connected sensors until draining begins.
    pub async fn bring_probes(self: Arc<Self>, shutdown: Shutdown) {
        loop {
            tokio::select! {
                () = shutdown.draining() => return,
                () = tokio::time::sleep(POLL) => {}
                () = self.app.signals.probes.notified() => {}
            }
            if !self.denials.is_fresh() {
                continue;
            }
            if let Err(error) = self.bring_probes_once().await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "probes were not brought to their sensors"
                );
            }
        }
    }

    async fn bring_probes_once(&self) -> Result<(), StoreError> {
        let able = self.sessions.able_to_probe();
        if able.is_empty() {
            return Ok(());
        }
        let waiting = self
            .app
            .store
            .waiting_probes(self.app.clock.now(), &able, AT_ONCE)
            .await?;
        for waiting in waiting {
            let Some(session) = self.sessions.of(waiting.sensor) else {
                continue;
            };
            if session.tenant == waiting.probe.tenant && session.takes_probe(waiting.probe.id) {
                // If it does not keep up, its next session is asked again.
                session.tell(SessionCommand::Probe(Box::new(waiting.probe)));
            }
        }
        Ok(())
    }
}

/// Whether the login was accepted: nothing failed on the way to it, and something was read behind it.
fn was_let_in(diagnosis: &Diagnosis) -> bool {
    let verdict = |stage| {
        let report = diagnosis.stages.iter().find(|report| report.stage == stage);
        report.map_or(Verdict::Skipped, |report| report.verdict)
    };
    let is_good = |stage| matches!(verdict(stage), Verdict::Passed | Verdict::Warned);
    let refused = [Stage::Token, Stage::Scopes]
        .into_iter()
        .any(|stage| verdict(stage) == Verdict::Failed);
    !refused
        && [Stage::Scopes, Stage::Discovery, Stage::Tags]
            .into_iter()
            .any(is_good)
}

impl App {
    /// Stores what the sensor of `session` saw. One that comes too late, or again, is passed over.
    pub async fn report_probe(
        &self,
        session: &LiveSession,
        id: ProbeId,
        diagnosis: Diagnosis,
    ) -> Result<(), StoreError> {
        let report = ProbeReport {
            sensor: session.sensor,
            at: self.clock.now(),
            diagnosis,
        };
        let stored = self
            .store
            .report_probe(session.tenant, id, session.epoch, &report)
            .await?;
        // Only of a probe that this sensor was asked for: what else it makes up is nobody's business.
        if stored && let Some(stage) = report.diagnosis.first_failure() {
            for finding in &stage.findings {
                let object = format!("probe:{id}");
                self.note_policy_refusal(session.tenant, session.sensor, object, finding)
                    .await;
            }
        }
        if stored && was_let_in(&report.diagnosis) {
            self.store.probe_worked(session.tenant, id, report.at).await?;
        }
        tracing::info!(sensor = %session.sensor, probe = %id, stored, "probe reported");
        Ok(())
    }

    /// Forgets old probes until draining begins.
    pub async fn forget_probes(self: Arc<Self>, shutdown: Shutdown) {
        loop {
            if let Err(error) = self.store.drop_trials(self.clock.now()).await {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(
                    error,
                    "credentials of probes that nobody carried out were not dropped"
                );
            }
            match self.store.forget_probes(self.clock.now() - KEPT).await {
                Ok(0) => {}
                Ok(probes) => tracing::debug!(probes, "old probes were forgotten"),
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "old probes were not forgotten"
                    );
                }
            }
            tokio::select! {
                () = shutdown.draining() => return,
                () = tokio::time::sleep(CLEANING) => {}
            }
        }
    }
}
