//! Jobs that read registries.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use portolan_registry::{
    Access, Anonymous, CredentialSource, Credentials, Environment, Limits, RegistryClient, Resolver,
};
use portolan_shared::model::{Finding, FindingCode, Reason, RegistryTarget};
use portolan_shared::process::{Clock, Rng};
use portolan_shared::tls::{RegistryTrust, SystemRoots};

use super::gate::JobGate;
use super::job::{JobControl, JobEnd, JobRefusal, Jobs, SyncJob};
use crate::inventory::{Closing, Lease, Pace, RegistrySource, Steering, Upload, UploadError, Walk};
use crate::policy::LivePolicy;

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
    /// Bounds of a client.
    pub limits: Limits,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness, for delays.
    pub rng: Arc<dyn Rng>,
}

/// Carries jobs out against real registries.
pub struct RegistryJobs(RegistryAccess);

impl RegistryJobs {
    /// Nothing is contacted before a job is run.
    #[must_use]
    pub fn new(access: RegistryAccess) -> Self {
        Self(access)
    }

    fn client(&self, target: &RegistryTarget, lease: Lease) -> Result<RegistryClient, Finding> {
        let access = &self.0;
        // Asked when the job was offered; the policy may have changed since.
        if let Some(reference) = &target.credential {
            let policy = access.policy.current();
            policy
                .allows_credential(&target.url, reference)
                .map_err(|refused| Finding::new(FindingCode::PolicyRefused, &refused.to_string()))?;
        }
        let trust = RegistryTrust::new(access.system_roots.clone(), &target.ca, access.certs_dir.clone())
            .map_err(|error| {
                let seen = format!("{}: {error}", target.url.authority());
                Finding::new(FindingCode::TlsFailed, &seen)
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
        let client = RegistryClient::new(Access {
            url: target.url.clone(),
            trust,
            gate: Arc::new(JobGate::new(
                Arc::clone(&access.policy),
                target.url.clone(),
                lease,
            )),
            resolver: Arc::clone(&access.resolver),
            credentials,
            budget: target.budget,
            limits: access.limits,
            clock: Arc::clone(&access.clock),
            rng: Arc::clone(&access.rng),
        });
        client.map_err(|error| error.finding())
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
            globs: job.target.repositories,
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
    fn admit(&self, job: &SyncJob) -> Result<(), JobRefusal> {
        let policy = self.0.policy.current();
        let RegistryTarget { url, credential, .. } = &job.target;
        let allowed = match credential {
            Some(reference) => policy.allows_credential(url, reference),
            None => policy.allows_registry(url),
        };
        allowed.map(drop).map_err(|refused| JobRefusal {
            reason: Reason::Policy,
            finding: Finding::new(FindingCode::PolicyRefused, &refused.to_string()),
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
}
