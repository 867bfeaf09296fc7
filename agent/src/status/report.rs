//! The report.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::notify::NotifyStatus;

/// Where reports come from.
pub trait StatusSource: Send + Sync {
    /// How things are now.
    fn report(&self) -> StatusReport;
}

/// How things are with this agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StatusReport {
    /// Version of the agent.
    pub version: String,
    /// Whether an agent runs; otherwise this is what its state directory says.
    pub running: bool,
    /// The main loop goes round.
    pub alive: bool,
    /// A session is open.
    pub ready: bool,
    /// Who this sensor is; none if it is not enrolled.
    pub sensor: Option<SensorStatus>,
    /// The way to the control plane.
    pub connection: Option<ConnectionStatus>,
    /// The certificate.
    pub certificate: Option<CertificateStatus>,
    /// What is allowed here.
    pub policy: PolicyStatus,
    /// Jobs that run.
    pub jobs: Vec<JobStatus>,
    /// Jobs ended since start.
    pub jobs_ended: u64,
    /// The job that ended last.
    pub last_work: Option<WorkStatus>,
    /// The audit logs, of a running agent.
    #[serde(default)]
    pub audit: Option<AuditStatus>,
    /// The listener for push events, of a running agent that has one.
    #[serde(default)]
    pub notify: Option<NotifyStatus>,
    /// What somebody should look at.
    pub warnings: Vec<String>,
}

/// Who a sensor is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SensorStatus {
    /// Its id.
    pub id: String,
    /// Its tenant.
    pub tenant: String,
    /// Its name.
    pub name: String,
    /// `enrolled`, `suspended`, `quarantined`, `waiting for approval` or `revoked`.
    pub state: String,
    /// Why the control plane lets it in no more; none while it does.
    pub refused: Option<RefusedStatus>,
    /// The fingerprint of its identity key, to be compared with what the control plane shows.
    #[serde(default)]
    pub fingerprint: Option<String>,
    /// What credentials are sealed to; none before the first start.
    #[serde(default)]
    pub sealing_key: Option<SealingKeyStatus>,
}

/// A sealing key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealingKeyStatus {
    /// Its id.
    pub id: String,
    /// When it was made: it is replaced 30 days later.
    pub created_at: Timestamp,
    /// Its age in whole days.
    pub days_old: i64,
    /// The control plane knows it, so that it can be sealed to.
    pub known: bool,
    /// A former key is still kept for what was sealed to it.
    pub former: bool,
}

/// The control plane lets a sensor in no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedStatus {
    /// The reason that it gave.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
    /// What to do about it.
    pub advice: String,
}

/// The way to the control plane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionStatus {
    /// `connected`, `connecting`, `waiting`, `draining` or `revoked`.
    pub phase: String,
    /// Host and port.
    pub endpoint: String,
    /// The open session.
    pub epoch: Option<u64>,
    /// Since when it is open.
    pub since: Option<Timestamp>,
    /// Why the last connection failed.
    pub last_failure: Option<String>,
    /// How far the control plane's clock is ahead of this machine's, in milliseconds.
    pub skew_ms: Option<i64>,
    /// Sessions opened since start.
    pub sessions: u64,
    /// Failed connections since start.
    pub failures: u64,
}

/// A certificate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CertificateStatus {
    /// When it ends.
    pub not_after: Timestamp,
    /// Days until then; negative afterwards.
    pub days_left: f64,
    /// `good`, `degraded`, `critical` or `expired`.
    pub health: String,
    /// When it will be renewed.
    pub renewal_planned: Option<Timestamp>,
    /// Why the last renewal failed.
    pub renewal_failure: Option<String>,
    /// Renewals since start.
    pub renewals: u64,
    /// Recoveries since start: certificates that were asked for because there was no good one.
    pub recoveries: u64,
}

/// The local policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyStatus {
    /// Its file.
    pub file: String,
    /// SHA-256 of the file in force, hex.
    pub sha256: String,
    /// One line per entry.
    pub allows: Vec<String>,
    /// Why the file as it is now is not in force.
    pub fault: Option<String>,
}

/// A job that runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobStatus {
    /// Run and attempt.
    pub attempt: String,
    /// Host and port of the registry.
    pub registry: String,
    /// Repositories done.
    pub repositories_done: u64,
    /// Repositories found so far.
    pub repositories_total: u64,
    /// Tags resolved so far.
    pub tags: u64,
    /// Bytes sent to the control plane so far.
    pub bytes_up: u64,
}

/// A job that ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkStatus {
    /// Run and attempt.
    pub attempt: String,
    /// Host and port of the registry.
    pub registry: String,
    /// When it ended.
    pub at: Timestamp,
    /// How.
    pub end: String,
}

/// The sensor's own audit log, and what it keeps of the control plane's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditStatus {
    /// Records of the own log.
    pub records: u64,
    /// The record of the control plane's log that the newest kept checkpoint is of; 0 if none is kept.
    pub checkpoint: u64,
    /// When that was signed, by the control plane's clock.
    pub checkpoint_at: Option<Timestamp>,
    /// The record of the checkpoint that was refused last, until that is cleared up.
    pub refused: Option<u64>,
}

/// A time for people: to the second.
pub(super) fn to_the_second(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

impl fmt::Display for StatusReport {
    /// For people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.sensor {
            Some(sensor) => writeln!(
                f,
                "sensor       {} ({}), {}",
                sensor.name, sensor.id, sensor.state
            )?,
            None => writeln!(f, "sensor       not enrolled")?,
        }
        if let Some(sensor) = &self.sensor {
            if let Some(refused) = &sensor.refused {
                let since = to_the_second(refused.since);
                writeln!(f, "shut out     since {since}: {}", refused.reason)?;
                writeln!(f, "to do        {}", refused.advice)?;
            }
            writeln!(f, "tenant       {}", sensor.tenant)?;
            if let Some(fingerprint) = &sensor.fingerprint {
                writeln!(f, "fingerprint  {fingerprint}")?;
            }
            if let Some(key) = &sensor.sealing_key {
                let known = if key.known {
                    ""
                } else {
                    ", not known to the control plane yet"
                };
                let former = if key.former { ", a former one is kept" } else { "" };
                writeln!(
                    f,
                    "sealing key  {}, {} days old{known}{former}",
                    key.id, key.days_old
                )?;
            }
        }
        match (&self.connection, self.running) {
            (Some(connection), true) => self.connection(f, connection)?,
            _ => writeln!(f, "connection   no agent is running here")?,
        }
        if let Some(certificate) = &self.certificate {
            write!(
                f,
                "certificate  {:.1} days left (until {}), {}",
                certificate.days_left,
                to_the_second(certificate.not_after),
                certificate.health
            )?;
            match (&certificate.renewal_failure, certificate.renewal_planned) {
                (Some(failure), _) => writeln!(f, "; renewal fails: {failure}")?,
                (None, Some(planned)) => writeln!(f, "; renewal planned for {}", to_the_second(planned))?,
                (None, None) => writeln!(f)?,
            }
        }
        if self.policy.allows.is_empty() {
            writeln!(f, "registries   none allowed by {}", self.policy.file)?;
        }
        for line in &self.policy.allows {
            writeln!(f, "registries   {line}")?;
        }
        for job in &self.jobs {
            writeln!(
                f,
                "job          {}: {} of {} repositories, {} tags ({})",
                job.registry, job.repositories_done, job.repositories_total, job.tags, job.attempt
            )?;
        }
        match &self.last_work {
            Some(work) => {
                let at = to_the_second(work.at);
                writeln!(f, "last work    {}: {} at {at}", work.registry, work.end)?;
            }
            None => writeln!(f, "last work    none since start")?,
        }
        if let Some(audit) = &self.audit {
            write!(
                f,
                "audit log    {} records; the control plane's is witnessed ",
                audit.records
            )?;
            match audit.checkpoint_at {
                Some(at) => writeln!(f, "up to record {} of {}", audit.checkpoint, to_the_second(at))?,
                None => writeln!(f, "by no checkpoint yet")?,
            }
        }
        if let Some(notify) = &self.notify {
            write!(f, "{notify}")?;
        }
        for warning in self.policy.fault.iter().chain(&self.warnings) {
            writeln!(f, "warning      {warning}")?;
        }
        Ok(())
    }
}

impl StatusReport {
    fn connection(&self, f: &mut fmt::Formatter<'_>, connection: &ConnectionStatus) -> fmt::Result {
        write!(f, "connection   {} to {}", connection.phase, connection.endpoint)?;
        match (connection.since, &connection.last_failure) {
            (Some(since), _) => write!(f, " since {}", to_the_second(since))?,
            (None, Some(failure)) => write!(f, ": {failure}")?,
            (None, None) => {}
        }
        writeln!(f)?;
        match connection.skew_ms {
            Some(skew) => writeln!(
                f,
                "clock        {:.1} s {} the control plane's",
                skew.unsigned_abs() as f64 / 1_000.0,
                if skew >= 0 { "behind" } else { "ahead of" }
            ),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
#[path = "report_tests.rs"]
pub(super) mod tests;
