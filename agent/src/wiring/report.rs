//! Gathers the status from the parts.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use data_encoding::HEXLOWER;
use jiff::Timestamp;
use portolan_shared::process::{Clock, ProxyRules, Uptime};
use portolan_shared::tls::CertificateHealth;

use super::agent::PULSE_WITHIN;
use super::notify::NotifyLook;
use crate::audit::{AuditLog, Witness};
use crate::keyring::{Enrolled, Enrolment, Keyring, KeyringError, StateDir, StoredCertificate};
use crate::policy::{LivePolicy, Policy};
use crate::status::{
    AuditStatus, CertificateStatus, ConnectionStatus, JobStatus, PolicyStatus, RefusedStatus,
    SealingKeyStatus, SensorStatus, StatusReport, StatusSource, WorkStatus, ask,
};
use crate::uplink::{Phase, RefusedView, UplinkHandle, UplinkView};

/// Gathers the status of a running agent.
pub(super) struct Gatherer {
    pub(super) keyring: Arc<Keyring>,
    pub(super) policy: Arc<LivePolicy>,
    pub(super) proxies: ProxyRules,
    pub(super) uplink: UplinkHandle,
    pub(super) audit: Arc<AuditLog>,
    pub(super) witness: Arc<Witness>,
    pub(super) notify: Option<NotifyLook>,
    /// When the agent was put together.
    pub(super) started: Uptime,
    pub(super) clock: Arc<dyn Clock>,
}

impl StatusSource for Gatherer {
    fn report(&self) -> StatusReport {
        let view = self.uplink.view.borrow().clone();
        let policy = self.policy.current();
        let mut warnings = self.keyring.warnings();
        if policy.is_empty() {
            warnings.push("the policy allows nothing: every job is refused".to_owned());
        }
        warnings.extend(self.policy.exposure());
        warnings.extend(policy.warnings(&self.proxies));
        let unrecordable = self.audit.fault();
        let recordable = unrecordable.is_none();
        warnings.extend(unrecordable);
        warnings.extend(self.witness.warning());
        if let Some(since) = view.since.filter(|_| view.phase == Phase::Connected) {
            let now = self.clock.now();
            let connected = Duration::try_from(now.duration_since(since)).unwrap_or_default();
            let runs = self.clock.uptime().since(self.started);
            warnings.extend(self.witness.silence(now, connected, runs));
        }
        if view.skew_ms.is_some_and(|skew| skew.unsigned_abs() > 120_000) {
            warnings.push(
                "this machine's clock and the control plane's differ by more than two minutes".to_owned(),
            );
        }
        let notify = self.notify.as_ref();
        let notify = notify.and_then(|notify| notify.status(view.takes_events, &*self.clock));
        let (notify, of_notify) = notify.unzip();
        warnings.extend(of_notify.into_iter().flatten());
        StatusReport {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            running: true,
            alive: self.clock.uptime().since(self.uplink.pulse()) < PULSE_WITHIN,
            ready: view.phase == Phase::Connected && recordable,
            sensor: Some(SensorStatus {
                sealing_key: sealing_key(&self.keyring, self.clock.now()),
                ..sensor(self.keyring.enrolled(), "enrolled", view.refused.as_ref())
            }),
            certificate: self
                .keyring
                .certificate()
                .map(|held| certificate(&held, &view, self.clock.now())),
            policy: policy_status(self.policy.path(), &policy, self.policy.fault()),
            jobs: view
                .running
                .iter()
                .map(|job| JobStatus {
                    attempt: job.attempt.to_string(),
                    registry: job.registry.clone(),
                    repositories_done: job.progress.repositories_done,
                    repositories_total: job.progress.repositories_total,
                    tags: job.progress.tags,
                    bytes_up: job.progress.bytes_up,
                })
                .collect(),
            jobs_ended: view.jobs,
            last_work: view.last_work.as_ref().map(|work| WorkStatus {
                attempt: work.attempt.to_string(),
                registry: work.registry.clone(),
                at: work.at,
                end: work.end.clone(),
            }),
            audit: Some(self.audit_status()),
            notify,
            warnings,
            connection: Some(connection(view)),
        }
    }
}

impl Gatherer {
    fn audit_status(&self) -> AuditStatus {
        let newest = self.witness.newest();
        AuditStatus {
            records: self.audit.head().seq,
            checkpoint: newest.map_or(0, |newest| newest.seq),
            checkpoint_at: newest.and_then(|newest| Timestamp::from_millisecond(newest.at_ms).ok()),
            refused: self.witness.refused(),
        }
    }
}

/// The status of whatever there is in a data directory: of the agent that runs on it, or of what lies there.
pub async fn status(
    data_dir: &Path,
    policy_file: &Path,
    now: Timestamp,
) -> Result<StatusReport, KeyringError> {
    match ask(data_dir).await {
        Ok(Some(report)) => return Ok(report),
        Ok(None) => {}
        Err(error) => tracing::warn!(%error, "the running agent does not answer"),
    }
    at_rest(data_dir, policy_file, now)
}

/// The status of what lies in a data directory.
pub(super) fn at_rest(
    data_dir: &Path,
    policy_file: &Path,
    now: Timestamp,
) -> Result<StatusReport, KeyringError> {
    let looking = || StateDir::for_looking(data_dir);
    let enrolment = Keyring::enrolment_in(&looking())?;
    let (policy, fault) = match Policy::load(policy_file) {
        Ok(policy) => (policy, None),
        Err(error) => (Policy::nothing(), Some(error.to_string())),
    };
    let (sensor, certificate, warnings) = match enrolment {
        Some(Enrolment::Enrolled(enrolled)) => {
            let keyring = Keyring::open(looking())?;
            let held = keyring.certificate();
            (
                Some(SensorStatus {
                    sealing_key: sealing_key(&keyring, now),
                    ..sensor(&enrolled, "enrolled", None)
                }),
                held.map(|held| certificate(&held, &UplinkView::default(), now)),
                keyring.warnings(),
            )
        }
        Some(Enrolment::Revoked(revoked)) => (Some(sensor(&revoked.was, "revoked", None)), None, Vec::new()),
        Some(Enrolment::PendingEnrol(_)) => {
            let warning =
                "an enrolment was begun and not finished: run the same `enroll` command again".to_owned();
            (None, None, vec![warning])
        }
        None => (None, None, Vec::new()),
    };
    Ok(StatusReport {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        running: false,
        alive: false,
        ready: false,
        sensor,
        connection: None,
        certificate,
        policy: policy_status(policy_file, &policy, fault),
        jobs: Vec::new(),
        jobs_ended: 0,
        last_work: None,
        audit: None,
        notify: None,
        warnings,
    })
}

fn sensor(enrolled: &Enrolled, state: &str, refused: Option<&RefusedView>) -> SensorStatus {
    SensorStatus {
        id: enrolled.sensor.to_string(),
        tenant: enrolled.tenant.to_string(),
        name: enrolled.name.clone(),
        state: refused.map_or(state, |refused| &refused.state).to_owned(),
        refused: refused.map(|refused| RefusedStatus {
            reason: refused.reason.as_str().to_owned(),
            since: refused.since,
            advice: refused.advice.clone(),
        }),
        fingerprint: enrolled.fingerprint().map(|fingerprint| fingerprint.to_string()),
        sealing_key: None,
    }
}

fn sealing_key(keyring: &Keyring, now: Timestamp) -> Option<SealingKeyStatus> {
    let keys = keyring.sealing_keys()?;
    let latest = keys.latest();
    let created_at = latest.made_at;
    Some(SealingKeyStatus {
        id: latest.pair.id().to_string(),
        created_at,
        days_old: now.duration_since(created_at).as_hours() / 24,
        known: latest.accepted,
        former: keys.has_former(),
    })
}

fn connection(view: UplinkView) -> ConnectionStatus {
    ConnectionStatus {
        phase: view.phase.as_str().to_owned(),
        endpoint: view.endpoint,
        epoch: view.epoch,
        since: view.since,
        last_failure: view.last_failure,
        skew_ms: view.skew_ms,
        sessions: view.sessions,
        failures: view.failures,
    }
}

fn certificate(stored: &StoredCertificate, view: &UplinkView, now: Timestamp) -> CertificateStatus {
    let life = stored.life();
    let health = match life.health(now) {
        CertificateHealth::Good => "good",
        CertificateHealth::Degraded => "degraded",
        CertificateHealth::Critical => "critical",
        CertificateHealth::Expired => "expired",
    };
    CertificateStatus {
        not_after: stored.not_after,
        days_left: life.not_after.duration_since(now).as_secs_f64() / 86_400.0,
        health: health.to_owned(),
        renewal_planned: view.renewal_planned,
        renewal_failure: view.renewal_failure.clone(),
        renewals: view.renewals,
        recoveries: view.recoveries,
    }
}

fn policy_status(file: &Path, policy: &Policy, fault: Option<String>) -> PolicyStatus {
    PolicyStatus {
        file: file.display().to_string(),
        sha256: HEXLOWER.encode(&policy.hash()),
        allows: policy.describe(),
        fault,
    }
}
