//! Jobs that read registries.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use portolan_registry::doctor::{Question, diagnose};
use portolan_registry::{
    Access, Anonymous, CredentialSource, Credentials, Environment, Gate, Limits, RefusedLogins,
    RegistryClient, Resolver,
};
use portolan_shared::model::{Diagnosis, Finding, FindingCode, Reason, RegistryTarget, RunProgress, Stage};
use portolan_shared::process::{Clock, ProxyRules, Rng};
use portolan_shared::tls::{RegistryTrust, SystemRoots};
use tokio::sync::watch;

use super::day::DayBytes;
use super::gate::JobGate;
use super::job::{JobControl, JobEnd, JobRefusal, Jobs, ProbeJob, SyncJob};
use super::meters::Meters;
use super::passage::Passage;
use super::snapshot::{Snapshot, allowed, refusal};
use crate::audit::{AuditLog, AuditedCredentials, AuditedGate};
use crate::credentials::{BoundGate, SealedLogin, SealedSource};
use crate::inventory::{
    Closing, Lease, Pace, RegistrySource, RepositoryTurns, Steering, Upload, UploadError, Walk,
};
use crate::policy::LivePolicy;

/// Requests at once of a job that looks at single tags only: it may run beside a whole sync of the same registry, and both together are to
/// spare it.
const LOOK_CONCURRENCY: u16 = 4;

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
    /// Where the bytes of the day are remembered; in memory only if nowhere.
    pub data_dir: Option<PathBuf>,
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
    /// What one job has done counts for the next.
    pub(super) meters: Arc<Meters>,
    audit: Option<Arc<AuditLog>>,
    /// What one job reads is not read by another.
    turns: Arc<RepositoryTurns>,
}

impl RegistryJobs {
    /// Nothing is contacted before a job is run.
    #[must_use]
    pub fn new(access: RegistryAccess) -> Self {
        let day = DayBytes::of(access.data_dir.as_deref());
        let meters = Meters::new(Arc::clone(&access.policy), Arc::clone(&access.clock), day);
        Self {
            access,
            refused: Arc::default(),
            meters,
            audit: None,
            turns: RepositoryTurns::new(),
        }
    }

    /// The same, with contacted hosts, refusals and opened credentials recorded.
    #[must_use]
    pub fn audited(self, log: Arc<AuditLog>) -> Self {
        Self {
            audit: Some(log),
            ..self
        }
    }

    /// What a client for this registry is made of; an error says at which stage of the way it shows.
    fn access(
        &self,
        snapshot: &Snapshot,
        target: &RegistryTarget,
        login: Option<&Arc<SealedLogin>>,
        lease: Option<Lease>,
    ) -> Result<Access, (Stage, Finding)> {
        let access = &self.access;
        // Asked when the job was offered; the policy may have changed since.
        let policy = snapshot.policy();
        let allowed = match (login, &target.credential) {
            (Some(_), _) => policy.allows_sealed_credential(&target.url).map(drop),
            (None, Some(reference)) => policy.allows_credential(&target.url, reference).map(drop),
            (None, None) => Ok(()),
        };
        allowed.map_err(|refused| (Stage::Policy, refusal(&refused)))?;
        let trust = RegistryTrust::new(access.system_roots.clone(), &target.ca, access.certs_dir.clone())
            .map_err(|error| {
                let seen = format!("{}: {error}", target.url.authority());
                (Stage::Tls, Finding::new(FindingCode::TlsFailed, &seen))
            })?;
        let credentials: Arc<dyn Credentials> = match (login, &target.credential) {
            (Some(login), _) => {
                let (login, refused) = (Arc::clone(login), Arc::clone(&self.refused));
                // A probe has no lease, and changes nothing.
                Arc::new(match lease {
                    Some(_) => SealedSource::of_sync(login, refused),
                    None => SealedSource::of_probe(login, refused),
                })
            }
            (None, Some(reference)) => {
                let source = CredentialSource::new(
                    reference.clone(),
                    target.url.clone(),
                    access.environment.clone(),
                    Arc::clone(&access.clock),
                );
                Arc::new(source.with_commands(policy.commands().clone()))
            }
            (None, None) => Arc::new(Anonymous),
        };
        let gate: Arc<dyn Gate> = Arc::new(JobGate::new(
            Arc::clone(&access.policy),
            Passage::new(target.url.clone(), access.proxy.clone())
                .never_to(Arc::clone(access.policy.control_plane())),
            lease,
            Arc::clone(&self.meters),
        ));
        let gate = match login {
            Some(login) => Arc::new(BoundGate::new(gate, Arc::clone(login))),
            None => gate,
        };
        let (gate, credentials) = self.recorded(target, login, gate, credentials);
        Ok(Access {
            url: target.url.clone(),
            trust,
            gate,
            resolver: Arc::clone(&access.resolver),
            credentials,
            refused: Arc::clone(&self.refused),
            budget: snapshot.budget(target),
            requests_left: target.requests_left,
            proxy: access.proxy.clone(),
            limits: access.limits,
            clock: Arc::clone(&access.clock),
            rng: Arc::clone(&access.rng),
        })
    }

    /// The gate and the credentials of a job, as the audit log wants them.
    fn recorded(
        &self,
        target: &RegistryTarget,
        login: Option<&Arc<SealedLogin>>,
        gate: Arc<dyn Gate>,
        credentials: Arc<dyn Credentials>,
    ) -> (Arc<dyn Gate>, Arc<dyn Credentials>) {
        let Some(log) = &self.audit else {
            return (gate, credentials);
        };
        let registry = target.url.authority();
        let sealed = login.map(|login| {
            let binding = login.binding();
            format!("sealed:{} version {}", binding.credential, binding.version)
        });
        let reference = sealed.or_else(|| target.credential.as_ref().map(ToString::to_string));
        let credentials: Arc<dyn Credentials> = match reference {
            Some(reference) => {
                let log = Arc::clone(log);
                Arc::new(AuditedCredentials::new(
                    credentials,
                    log,
                    reference,
                    registry.clone(),
                ))
            }
            None => credentials,
        };
        let (clock, proxies) = (Arc::clone(&self.access.clock), self.access.proxy.clone());
        (
            Arc::new(AuditedGate::new(gate, log, clock, registry, proxies)),
            credentials,
        )
    }

    fn client(&self, snapshot: &Snapshot, job: &SyncJob, lease: Lease) -> Result<RegistryClient, Finding> {
        let access = self
            .access(snapshot, &job.target, job.login.as_ref(), Some(lease))
            .map_err(|(_, finding)| finding)?;
        RegistryClient::new(access).map_err(|error| error.finding())
    }

    /// The policy that a job which begins now keeps to.
    pub(super) fn snapshot(&self) -> Snapshot {
        Snapshot::of(&self.access.policy)
    }

    async fn sync(
        &self,
        mut job: SyncJob,
        upload: &dyn Upload,
        lease: Lease,
        progress: watch::Sender<RunProgress>,
    ) -> Result<JobEnd, UploadError> {
        let snapshot = self.snapshot();
        let clock = &*self.access.clock;
        if job.scope.repositories.is_empty() && !job.scope.references.is_empty() {
            let budget = &mut job.target.budget;
            budget.concurrency = budget.concurrency.min(LOOK_CONCURRENCY);
        }
        let terms = snapshot
            .terms(&job.target, clock)
            .map_err(|refused| refusal(&refused));
        let made = terms.and_then(|(terms, bound)| {
            let client = self.client(&snapshot, &job, lease.clone())?;
            Ok((client, terms, bound))
        });
        let (client, terms, bound) = match made {
            Ok(made) => made,
            Err(finding) => {
                let closing = Closing {
                    failure: Some(finding),
                    ..Closing::default()
                };
                return upload.close_run(&closing).await.map(JobEnd::Closed);
            }
        };
        let walk = Walk {
            pace: Pace::within(snapshot.budget(&job.target)),
            terms,
            patterns: job.target.repositories,
            tags: job.target.tags,
            began: clock.now(),
            scope: job.scope,
            resumed: job.resumed,
        };
        let source = RegistrySource::new(client);
        let (end, ended) = watch::channel(None);
        let steering = Steering {
            lease,
            progress,
            ended,
            turns: self.turns.of(job.target.registry),
        };
        let ending = async {
            let why = tokio::select! {
                why = bound.over(clock) => why,
                why = snapshot.outdated(&job.target.url) => why,
            };
            end.send_replace(Some(why));
            std::future::pending::<Infallible>().await
        };
        let walked = tokio::select! {
            walked = walk.run(&source, upload, steering) => walked?,
            never = ending => match never {},
        };
        tracing::info!(
            attempt = %job.attempt,
            state = %walked.state,
            held_bytes = walked.held_bytes,
            "registry walked"
        );
        Ok(JobEnd::Closed(walked.state))
    }

    async fn examine(&self, job: ProbeJob, snapshot: &Snapshot) -> Diagnosis {
        let file = self.access.policy.path().display().to_string();
        let now = self.access.clock.now();
        let local = snapshot.local_policy(&job.target, job.repository.as_ref(), now, &file);
        let (policy, allowed) = match local {
            Ok(local) => local,
            Err(finding) => return Diagnosis::stopped_at(Stage::Policy, &finding),
        };
        let access = match self.access(snapshot, &job.target, job.login.as_ref(), None) {
            Ok(access) => access,
            Err((stage, finding)) => return Diagnosis::stopped_at(stage, &finding),
        };
        let question = Question {
            policy,
            repository: job.repository,
            time: job.within,
            allowed,
            patterns: job.target.repositories,
        };
        diagnose(access, question, &|_| {}).await
    }
}

#[async_trait]
impl Jobs for RegistryJobs {
    fn admit(&self, target: &RegistryTarget) -> Result<(), JobRefusal> {
        let policy = self.access.policy.current();
        let now = self.access.clock.now();
        let doors = self.access.policy.control_plane();
        doors
            .check_host(target.url.host(), target.url.port())
            .and_then(|()| allowed(&policy, target, now).map(drop))
            .map_err(|refused| JobRefusal {
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
        let _saved = Saved(&self.meters);
        let ended = tokio::select! {
            biased;
            // Dropping the walk drops every request with it.
            () = cancel.cancelled() => return JobEnd::Cancelled,
            ended = Box::pin(self.sync(job, &*upload, lease, progress)) => ended,
        };
        ended.unwrap_or_else(|error| match error {
            UploadError::Fenced(_) => JobEnd::Fenced,
            UploadError::Refused { .. } => {
                JobEnd::Failed(Finding::new(FindingCode::Internal, &error.to_string()))
            }
        })
    }

    async fn probe(&self, job: ProbeJob) -> Diagnosis {
        let snapshot = self.snapshot();
        let registry = job.target.url.clone();
        let _saved = Saved(&self.meters);
        tokio::select! {
            biased;
            // What was seen under a policy that holds no more is not told either.
            why = snapshot.outdated(&registry) => Diagnosis::stopped_at(Stage::Policy, &why),
            diagnosis = Box::pin(self.examine(job, &snapshot)) => diagnosis,
        }
    }
}

/// Writes down what has to outlive a restart when a job ends, in whichever way.
struct Saved<'m>(&'m Meters);

impl Drop for Saved<'_> {
    fn drop(&mut self) {
        self.0.save();
    }
}
