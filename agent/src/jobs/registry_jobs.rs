//! Jobs that read registries.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use portolan_registry::doctor::{LocalPolicy, Question, diagnose};
use portolan_registry::{
    Access, Anonymous, CredentialSource, Credentials, Environment, Limits, RefusedLogins, RegistryClient,
    Resolver,
};
use portolan_shared::model::{Diagnosis, Finding, FindingCode, Reason, RegistryTarget, Stage};
use portolan_shared::process::{Clock, ProxyRules, Rng};
use portolan_shared::tls::{RegistryTrust, SystemRoots};

use super::gate::JobGate;
use super::job::{JobControl, JobEnd, JobRefusal, Jobs, ProbeJob, SyncJob};
use crate::inventory::{Closing, Lease, Pace, RegistrySource, Steering, Upload, UploadError, Walk};
use crate::policy::{LivePolicy, Policy, PolicyRefusal};

/// What registry clients are made of, beside what a job says.
pub struct RegistryAccess {
    /// The policy in force.
    pub policy: Arc<LivePolicy>,
    /// Certificate authorities that this machine trusts.
    pub system_roots: SystemRoots,
    /// Folder of per-registry certificates, if it is honoured.
    pub certs_dir: Option<PathBuf>,
    /// The environment that credential references speak of.
    pub environment: Environment,
    /// How names become addresses.
    pub resolver: Arc<dyn Resolver>,
    /// By which proxy registries are reached.
    pub proxy: ProxyRules,
    /// Bounds of a client.
    pub limits: Limits,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness, for delays.
    pub rng: Arc<dyn Rng>,
}

/// Carries jobs out against real registries.
pub struct RegistryJobs {
    access: RegistryAccess,
    /// What one job was refused is not tried by the next.
    refused: Arc<RefusedLogins>,
}

impl RegistryJobs {
    /// Nothing is contacted before a job is run.
    #[must_use]
    pub fn new(access: RegistryAccess) -> Self {
        Self {
            access,
            refused: Arc::default(),
        }
    }

    /// What a client for this registry is made of; an error says at which stage of the way it shows.
    fn access(&self, target: &RegistryTarget, lease: Option<Lease>) -> Result<Access, (Stage, Finding)> {
        let access = &self.access;
        // Asked when the job was offered; the policy may have changed since.
        if let Some(reference) = &target.credential {
            let policy = access.policy.current();
            policy
                .allows_credential(&target.url, reference)
                .map_err(|refused| (Stage::Policy, refusal(&refused)))?;
        }
        let trust = RegistryTrust::new(access.system_roots.clone(), &target.ca, access.certs_dir.clone())
            .map_err(|error| {
                let seen = format!("{}: {error}", target.url.authority());
                (Stage::Tls, Finding::new(FindingCode::TlsFailed, &seen))
            })?;
        let credentials: Arc<dyn Credentials> = match &target.credential {
            Some(reference) => Arc::new(CredentialSource::new(
                reference.clone(),
                target.url.clone(),
                access.environment.clone(),
                Arc::clone(&access.clock),
            )),
            None => Arc::new(Anonymous),
        };
        let gate = JobGate::new(Arc::clone(&access.policy), target.url.clone(), lease);
        Ok(Access {
            url: target.url.clone(),
            trust,
            gate: Arc::new(gate),
            resolver: Arc::clone(&access.resolver),
            credentials,
            refused: Arc::clone(&self.refused),
            budget: target.budget,
            requests_left: target.requests_left,
            proxy: access.proxy.clone(),
            limits: access.limits,
            clock: Arc::clone(&access.clock),
            rng: Arc::clone(&access.rng),
        })
    }

    fn client(&self, target: &RegistryTarget, lease: Lease) -> Result<RegistryClient, Finding> {
        let access = self.access(target, Some(lease)).map_err(|(_, finding)| finding)?;
        RegistryClient::new(access).map_err(|error| error.finding())
    }

    /// What the policy in force says of this registry, for the doctor's first stage.
    fn local_policy(&self, target: &RegistryTarget) -> LocalPolicy {
        let policy = self.access.policy.current();
        match allowed(&policy, target) {
            Ok(rule) => LocalPolicy {
                seen: vec![format!("{}: {rule}", self.access.policy.path().display())],
                finding: None,
            },
            Err(refused) => LocalPolicy {
                seen: Vec::new(),
                finding: Some(refusal(&refused)),
            },
        }
    }

    async fn sync(
        &self,
        job: SyncJob,
        upload: &dyn Upload,
        steering: Steering,
    ) -> Result<JobEnd, UploadError> {
        let client = match self.client(&job.target, steering.lease.clone()) {
            Ok(client) => client,
            Err(finding) => {
                let closing = Closing {
                    failure: Some(finding),
                    ..Closing::default()
                };
                return upload.close_run(&closing).await.map(JobEnd::Closed);
            }
        };
        let walk = Walk {
            pace: Pace::within(job.target.budget),
            patterns: job.target.repositories,
            tags: job.target.tags,
            began: self.access.clock.now(),
            scope: job.scope,
            resumed: job.resumed,
        };
        let source = RegistrySource::new(client);
        let walked = walk.run(&source, upload, steering).await?;
        tracing::info!(
            attempt = %job.attempt,
            state = %walked.state,
            held_bytes = walked.held_bytes,
            "registry walked"
        );
        Ok(JobEnd::Closed(walked.state))
    }
}

#[async_trait]
impl Jobs for RegistryJobs {
    fn admit(&self, target: &RegistryTarget) -> Result<(), JobRefusal> {
        let policy = self.access.policy.current();
        allowed(&policy, target).map(drop).map_err(|refused| JobRefusal {
            reason: Reason::Policy,
            finding: refusal(&refused),
            rule: refused.rule,
        })
    }

    async fn run(&self, job: SyncJob, upload: Arc<dyn Upload>, control: JobControl) -> JobEnd {
        let JobControl {
            cancel,
            lease,
            progress,
        } = control;
        let ended = tokio::select! {
            biased;
            // Dropping the walk drops every request with it.
            () = cancel.cancelled() => return JobEnd::Cancelled,
            ended = Box::pin(self.sync(job, &*upload, Steering { lease, progress })) => ended,
        };
        ended.unwrap_or_else(|error| match error {
            UploadError::Fenced(_) => JobEnd::Fenced,
            UploadError::Refused { .. } => {
                JobEnd::Failed(Finding::new(FindingCode::Internal, &error.to_string()))
            }
        })
    }

    async fn probe(&self, job: ProbeJob) -> Diagnosis {
        let access = match self.access(&job.target, None) {
            Ok(access) => access,
            Err((stage, finding)) => return Diagnosis::stopped_at(stage, &finding),
        };
        let question = Question {
            repository: job.repository,
            policy: self.local_policy(&job.target),
            time: job.within,
            patterns: job.target.repositories,
        };
        diagnose(access, question, &|_| {}).await
    }
}

/// The rule by which this registry may be read with this credential.
fn allowed<'p>(policy: &'p Policy, target: &RegistryTarget) -> Result<&'p str, PolicyRefusal> {
    match &target.credential {
        Some(reference) => policy.allows_credential(&target.url, reference),
        None => policy.allows_registry(&target.url),
    }
}

fn refusal(refused: &PolicyRefusal) -> Finding {
    Finding::new(FindingCode::PolicyRefused, &refused.to_string())
}
