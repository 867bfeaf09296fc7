//! Stands in front of the jobs: each is recorded when it begins and when it ends, and none runs that cannot be.

use std::sync::Arc;

use async_trait::async_trait;
use portolan_shared::model::{Diagnosis, Finding, FindingCode, Reason, RegistryTarget, RunState, Stage};
use portolan_shared::process::Clock;
use serde_json::{Value, json};

use super::entry::{Entry, Outcome};
use super::log::AuditLog;
use super::outgoing::{Outgoing, Sent};
use super::upload::AuditedUpload;
use super::withheld::Rate;
use crate::inventory::Upload;
use crate::jobs::{JobControl, JobEnd, JobRefusal, Jobs, ProbeJob, SyncJob};

/// Patterns, and names of repositories, of a job that are recorded: of further ones, their number.
const NAMED: usize = 20;

/// Jobs that are recorded: one by one as far as there is room in the log, and summed up beyond. None is refused for the log's sake, unless
/// nothing can be written.
pub struct AuditedJobs {
    inner: Arc<dyn Jobs>,
    log: Arc<AuditLog>,
    clock: Arc<dyn Clock>,
    outgoing: Arc<Outgoing>,
}

impl AuditedJobs {
    /// In front of these. `outgoing` knows where results go.
    #[must_use]
    pub fn new(
        inner: Arc<dyn Jobs>,
        log: Arc<AuditLog>,
        clock: Arc<dyn Clock>,
        outgoing: Arc<Outgoing>,
    ) -> Self {
        Self {
            inner,
            log,
            clock,
            outgoing,
        }
    }

    /// Records a refusal of an offer, for this registry if that could be read.
    fn refused(&self, refusal: &JobRefusal, target: Option<&RegistryTarget>) {
        let registry = target.map(|target| format!("registry:{}", target.url.authority()));
        let parameters = target.map(parameters);
        let object = registry.unwrap_or_else(|| "offer".to_owned());
        let details = json!({
            "rule": refusal.rule,
            "why": refusal.finding.to_string(),
            "parameters": parameters,
        });
        let entry = Entry::by_control_plane("policy.refused", object, details).with(Outcome::Refused);
        self.log.append_of(Rate::SAID, &refusal.rule, entry);
    }

    /// Records that something begins on this registry; what is given records that it ends, also if it is dropped.
    fn begin(
        &self,
        [begin, end]: [&'static str; 2],
        target: &RegistryTarget,
        object: &str,
        details: Value,
    ) -> Ending {
        let registry = target.url.authority();
        let entry = Entry::by_control_plane(begin, object, details);
        self.log.append_paced(Rate::DONE, &registry, entry);
        Ending {
            log: Arc::clone(&self.log),
            action: end,
            registry,
            object: object.to_owned(),
            recorded: false,
        }
    }
}

/// The record of an end that is still to come.
struct Ending {
    log: Arc<AuditLog>,
    action: &'static str,
    registry: String,
    object: String,
    recorded: bool,
}

impl Ending {
    /// It has come.
    fn record(mut self, outcome: Outcome, details: Value) {
        self.append(outcome, details);
    }

    fn append(&mut self, outcome: Outcome, details: Value) {
        self.recorded = true;
        let entry = Entry::by_agent(self.action, self.object.clone(), details).with(outcome);
        self.log.append_paced(Rate::DONE, &self.registry, entry);
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        if !self.recorded {
            self.append(Outcome::Failed, json!({"how": "stopped"}));
        }
    }
}

fn parameters(target: &RegistryTarget) -> Value {
    let patterns = target.repositories.as_slice();
    json!({
        "registry": target.url.to_string(),
        "credential": target.credential.as_ref().map(ToString::to_string),
        "own_ca": target.ca.bundle_pem.is_some(),
        "patterns": patterns.iter().take(NAMED).collect::<Vec<_>>(),
        "further_patterns": patterns.len().saturating_sub(NAMED),
    })
}

fn unrecordable(fault: &str) -> Finding {
    Finding::new(FindingCode::Internal, fault)
}

#[async_trait]
impl Jobs for AuditedJobs {
    fn admit(&self, target: &RegistryTarget) -> Result<(), JobRefusal> {
        if let Some(fault) = self.log.fault() {
            return Err(JobRefusal {
                reason: Reason::Overloaded,
                rule: String::new(),
                finding: unrecordable(&fault),
            });
        }
        self.inner
            .admit(target)
            .inspect_err(|refusal| self.refused(refusal, Some(target)))
    }

    fn unreadable(&self, refusal: &JobRefusal) {
        self.refused(refusal, None);
        self.inner.unreadable(refusal);
    }

    async fn run(&self, job: SyncJob, upload: Arc<dyn Upload>, control: JobControl) -> JobEnd {
        let object = format!("attempt:{}", job.attempt);
        let details = json!({
            "parameters": parameters(&job.target),
            "repositories": job.scope.repositories.iter().take(NAMED).map(ToString::to_string).collect::<Vec<_>>(),
            "further_repositories": job.scope.repositories.len().saturating_sub(NAMED),
            "tags": job.scope.references.iter().take(NAMED).map(|of| format!("{}:{}", of.repository, of.tag)).collect::<Vec<_>>(),
            "further_tags": job.scope.references.len().saturating_sub(NAMED),
            "resumed": job.resumed,
        });
        let ending = self.begin(["job.begin", "job.end"], &job.target, &object, details);
        let progress = control.progress.subscribe();
        let (log, clock, outgoing) = (&self.log, Arc::clone(&self.clock), Arc::clone(&self.outgoing));
        let sent = Sent::new(log, clock, outgoing, object);
        let upload = Arc::new(AuditedUpload { inner: upload, sent });
        let end = tokio::select! {
            // Nothing more is done once nothing can be recorded, whatever else is ready.
            biased;
            // Dropping the job drops its requests with it.
            fault = self.log.broken() => JobEnd::Failed(unrecordable(&fault)),
            end = self.inner.run(job, upload, control) => end,
        };
        let (outcome, how) = match &end {
            JobEnd::Closed(state @ (RunState::Failed | RunState::Cancelled)) => {
                (Outcome::Failed, format!("the run ended {state}"))
            }
            JobEnd::Closed(state) => (Outcome::Ok, format!("the run ended {state}")),
            JobEnd::Failed(finding) => (Outcome::Failed, finding.to_string()),
            JobEnd::Fenced => (
                Outcome::Failed,
                "the attempt was no longer this sensor's".to_owned(),
            ),
            JobEnd::Cancelled => (Outcome::Failed, "stopped".to_owned()),
        };
        let done = *progress.borrow();
        let details = json!({
            "how": how,
            "repositories": done.repositories_done,
            "tags": done.tags,
            "requests": done.requests,
            "bytes_up": done.bytes_up,
        });
        ending.record(outcome, details);
        end
    }

    async fn probe(&self, job: ProbeJob) -> Diagnosis {
        if let Some(fault) = self.log.fault() {
            return Diagnosis::stopped_at(Stage::Policy, &unrecordable(&fault));
        }
        let object = format!("probe:{}", job.probe);
        let details = json!({
            "parameters": parameters(&job.target),
            "repository": job.repository.as_ref().map(ToString::to_string),
        });
        let ending = self.begin(["probe.begin", "probe.end"], &job.target, &object, details);
        let diagnosis = tokio::select! {
            biased;
            fault = self.log.broken() => Diagnosis::stopped_at(Stage::Policy, &unrecordable(&fault)),
            diagnosis = self.inner.probe(job) => diagnosis,
        };
        let failure = diagnosis.first_failure().map(|stage| stage.stage.to_string());
        let outcome = if failure.is_none() {
            Outcome::Ok
        } else {
            Outcome::Failed
        };
        ending.record(outcome, json!({"failed_at": failure}));
        diagnosis
    }
}
