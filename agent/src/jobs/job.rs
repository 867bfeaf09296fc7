//! What a job is, and how it ends.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use portolan_shared::model::{
    AttemptRef, Diagnosis, Finding, ProbeId, Reason, RegistryTarget, RepositoryName, RunProgress, RunState,
    Scope,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::credentials::SealedLogin;
use crate::inventory::{Lease, Upload};

/// An attempt that was leased to this sensor: read a registry and upload what is new.
#[derive(Debug, Clone)]
pub struct SyncJob {
    /// Which attempt.
    pub attempt: AttemptRef,
    /// What to read.
    pub target: RegistryTarget,
    /// With which login, in place of the target's reference.
    pub login: Option<Arc<SealedLogin>>,
    /// How much of it.
    pub scope: Scope,
    /// An earlier attempt committed something.
    pub resumed: bool,
    /// It looks at what events named: slots are kept for such jobs.
    pub look: bool,
}

/// A look at a registry, stage by stage.
#[derive(Debug, Clone)]
pub struct ProbeJob {
    /// Which.
    pub probe: ProbeId,
    /// What to look at.
    pub target: RegistryTarget,
    /// With which login, in place of the target's reference.
    pub login: Option<Arc<SealedLogin>>,
    /// The repository to try; the first one that is found if none is named.
    pub repository: Option<RepositoryName>,
    /// How long it may take: it ends with what it has seen by then.
    pub within: Duration,
}

/// Why a job is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRefusal {
    /// [`Reason::Policy`], [`Reason::CredentialRefused`] or [`Reason::Unsupported`].
    pub reason: Reason,
    /// The rule of the local policy that refused.
    pub rule: String,
    /// For the tenant.
    pub finding: Finding,
}

/// How a job ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobEnd {
    /// The run was closed.
    Closed(RunState),
    /// The attempt failed; the run is the control plane's to try again.
    Failed(Finding),
    /// The control plane gave the attempt to somebody else, or ended it. Nothing is to be said.
    Fenced,
    /// It was told to stop.
    Cancelled,
}

/// How a running job is steered, and seen.
#[derive(Debug, Clone)]
pub struct JobControl {
    /// Cancelled: stop within five seconds; no registry request afterwards.
    pub cancel: CancellationToken,
    /// No registry request is started unless it is held.
    pub lease: Lease,
    /// Kept up to date by the job.
    pub progress: watch::Sender<RunProgress>,
}

/// Who carries jobs out. The uplink knows no more of them than this.
#[async_trait]
pub trait Jobs: Send + Sync {
    /// Asks the local policy, before anything is contacted.
    fn admit(&self, target: &RegistryTarget) -> Result<(), JobRefusal>;

    /// An offer was refused before it was anything that could be admitted: for whoever records that.
    fn unreadable(&self, _refusal: &JobRefusal) {}

    /// Carries the job out to its end.
    async fn run(&self, job: SyncJob, upload: Arc<dyn Upload>, control: JobControl) -> JobEnd;

    /// Looks at a registry and says what was seen.
    async fn probe(&self, job: ProbeJob) -> Diagnosis;
}
