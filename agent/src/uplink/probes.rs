//! The probes that run on this sensor. Nothing is leased for them: looking twice does no harm, and a report that nobody can be told is
//! forgotten, because the control plane asks again as long as it waits.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use portolan_proto::convert::probe_report_to_wire;
use portolan_proto::v1;
use portolan_proto::v1::sensor_message::Body as Up;
use portolan_shared::model::{Diagnosis, Finding, FindingCode, ProbeId, Stage, limits};
use portolan_shared::process::{Clock, Tasks, Uptime};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::offered::{offered_login, offered_target, unreadable};
use crate::credentials::SealedVault;
use crate::jobs::{JobRefusal, Jobs, ProbeJob};

/// Time of an offer that is kept for the way of the report.
const FOR_THE_REPORT: Duration = Duration::from_secs(3);

/// A probe that runs.
struct Running {
    registry: String,
    since: Uptime,
    cancel: CancellationToken,
}

/// A probe that waits for its turn.
struct Waiting {
    job: ProbeJob,
    until: Uptime,
}

/// All probes of this sensor.
pub(super) struct Probes {
    jobs: Arc<dyn Jobs>,
    vault: Arc<SealedVault>,
    clock: Arc<dyn Clock>,
    tasks: Tasks,
    running: BTreeMap<ProbeId, Running>,
    waiting: VecDeque<Waiting>,
    report: mpsc::Sender<(ProbeId, Diagnosis)>,
    reports: mpsc::Receiver<(ProbeId, Diagnosis)>,
}

impl Probes {
    pub(super) fn new(
        jobs: Arc<dyn Jobs>,
        vault: Arc<SealedVault>,
        clock: Arc<dyn Clock>,
        tasks: Tasks,
    ) -> Self {
        let (report, reports) = mpsc::channel(limits::PROBES_AT_ONCE);
        Self {
            jobs,
            vault,
            clock,
            tasks,
            running: BTreeMap::new(),
            waiting: VecDeque::new(),
            report,
            reports,
        }
    }

    /// Takes an offered probe. Gives the report if it can be told at once how it ends; one that is running or waits already is answered
    /// when it has ended, and once.
    pub(super) fn offered(&mut self, offer: &v1::ProbeOffer) -> Option<Up> {
        let Ok(probe) = ProbeId::from_slice(&offer.probe_id) else {
            tracing::warn!("a probe without an id was offered");
            return None;
        };
        if self.running.contains_key(&probe) || self.waiting.iter().any(|other| other.job.probe == probe) {
            return None;
        }
        let refused = |finding: Finding| {
            tracing::warn!(%probe, %finding, "a probe was not taken");
            let diagnosis = Diagnosis::stopped_at(Stage::Policy, &finding);
            Some(Up::ProbeReport(probe_report_to_wire(probe, &diagnosis)))
        };
        let mut job = match read_job(probe, offer) {
            Ok(job) => job,
            Err(refusal) => {
                self.jobs.unreadable(&refusal);
                return refused(refusal.finding);
            }
        };
        if let Err(refusal) = self.jobs.admit(&job.target) {
            return refused(refusal.finding);
        }
        match offered_login(&self.vault, offer.credential.as_ref(), &job.target) {
            Ok(login) => job.login = login,
            Err(refusal) => return refused(refusal.finding),
        }
        if self.waiting.len() >= limits::PROBES_WAITING {
            let seen = format!("{} probes wait on this sensor", limits::PROBES_WAITING);
            return refused(Finding::new(FindingCode::Internal, &seen));
        }
        let until = Uptime(self.clock.uptime().0 + job.within);
        self.waiting.push_back(Waiting { job, until });
        self.start_waiting();
        None
    }

    /// Starts what has waited, as far as there is room.
    fn start_waiting(&mut self) {
        let now = self.clock.uptime();
        while self.running.len() < limits::PROBES_AT_ONCE {
            let Some(Waiting { job, until }) = self.waiting.pop_front() else {
                return;
            };
            let left = until.since(now).saturating_sub(FOR_THE_REPORT);
            if left.is_zero() {
                tracing::info!(probe = %job.probe, "nobody waits for this probe any more");
                continue;
            }
            let within = left.min(Duration::from_secs(limits::PROBE_SECONDS));
            self.start(ProbeJob { within, ..job });
        }
    }

    fn start(&mut self, job: ProbeJob) {
        let registry = job.target.url.authority();
        tracing::info!(probe = %job.probe, registry, "a probe was taken");
        let cancel = CancellationToken::new();
        let probe = job.probe;
        self.running.insert(
            probe,
            Running {
                registry,
                since: self.clock.uptime(),
                cancel: cancel.clone(),
            },
        );
        let (jobs, report) = (Arc::clone(&self.jobs), self.report.clone());
        self.tasks.spawn("probe", async move {
            let diagnosis = tokio::select! {
                biased;
                // Dropping the probe drops its requests with it.
                () = cancel.cancelled() => return,
                diagnosis = jobs.probe(job) => diagnosis,
            };
            // Fails only when the uplink itself has ended.
            let _ = report.send((probe, diagnosis)).await;
        });
    }

    /// The next probe that ends.
    pub(super) async fn next_ended(&mut self) -> (ProbeId, Diagnosis) {
        match self.reports.recv().await {
            Some(ended) => ended,
            None => std::future::pending().await,
        }
    }

    /// A probe ended. Gives its report, unless it was stopped meanwhile.
    pub(super) fn ended(&mut self, probe: ProbeId, diagnosis: &Diagnosis) -> Option<Up> {
        let Running { registry, since, .. } = self.running.remove(&probe)?;
        let took = self.clock.uptime().since(since);
        match diagnosis.first_failure() {
            Some(stage) => {
                let finding = stage
                    .findings
                    .first()
                    .map(ToString::to_string)
                    .unwrap_or_default();
                tracing::info!(%probe, registry, ?took, stage = %stage.stage, finding, "a probe ended: this stage does not work");
            }
            None => tracing::info!(%probe, registry, ?took, "a probe ended: all that was tried works"),
        }
        self.start_waiting();
        Some(Up::ProbeReport(probe_report_to_wire(probe, diagnosis)))
    }

    /// Stops everything. Nothing is reported.
    pub(super) fn cancel_all(&mut self) {
        self.waiting.clear();
        for (_, running) in std::mem::take(&mut self.running) {
            running.cancel.cancel();
        }
    }
}

fn read_job(probe: ProbeId, offer: &v1::ProbeOffer) -> Result<ProbeJob, JobRefusal> {
    let repository = match offer.repository.as_str() {
        "" => None,
        name => Some(
            name.parse()
                .map_err(|error| unreadable(&format!("the repository to try: {error}")))?,
        ),
    };
    Ok(ProbeJob {
        probe,
        target: offered_target(offer.registry.as_ref())?,
        login: None,
        repository,
        within: Duration::from_secs(offer.seconds_left.into())
            .min(Duration::from_secs(limits::PROBE_WAIT_SECONDS)),
    })
}

#[cfg(test)]
#[path = "probes_tests.rs"]
mod tests;
