//! The attempts that run on this sensor. They outlive sessions: a reconnect changes who renews their leases, nothing else.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use portolan_proto::convert::{finding_to_wire, progress_to_wire};
use portolan_proto::v1;
use portolan_proto::v1::sensor_message::Body as Up;
use portolan_shared::model::{AttemptRef, Finding, FindingCode, Reason, RunProgress, limits};
use portolan_shared::process::{Clock, Tasks, Uptime};
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::lease::{Renewal, Standing, doubtful_from};
use super::offered::{not_now, offered_job, offered_login};
use super::upload::Uploads;
use super::view::{LastWork, RunningView};
use crate::credentials::{SealedLogin, SealedVault};
use crate::inventory::Lease;
use crate::jobs::{JobControl, JobEnd, Jobs, SyncJob};

/// A cancelled job that has not ended by then is dropped, and its requests with it.
const STOPS_WITHIN: Duration = Duration::from_secs(5);
/// Progress of one attempt is reported at most this often.
const PROGRESS_EVERY: Duration = Duration::from_secs(1);

struct Attempt {
    registry: String,
    look: bool,
    login: Option<Arc<SealedLogin>>,
    renewed: Uptime,
    /// Until when the job may ask its registry.
    asks_until: watch::Sender<Uptime>,
    progress: watch::Receiver<RunProgress>,
    reported: RunProgress,
    reported_at: Uptime,
    cancel: CancellationToken,
    /// Tells the attempt's uploads to end.
    ended: watch::Sender<Option<Reason>>,
    stop: Option<Stop>,
    /// Ended on its own and not reported yet.
    done: Option<v1::JobDone>,
}

impl Attempt {
    /// The lease counts from then.
    fn renew(&mut self, at: Uptime) {
        self.renewed = self.renewed.max(at);
        if self.stop != Some(Stop::Fenced) {
            self.asks_until.send_replace(doubtful_from(self.renewed));
        }
    }
}

/// Why an attempt was stopped from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// It is not ours any more: nothing is reported.
    Fenced,
    /// It was told to: that is reported.
    Told(Reason),
}

/// All attempts of this sensor.
pub(super) struct Attempts {
    jobs: Arc<dyn Jobs>,
    vault: Arc<SealedVault>,
    uploads: Uploads,
    clock: Arc<dyn Clock>,
    tasks: Tasks,
    slots: usize,
    map: BTreeMap<AttemptRef, Attempt>,
    report: mpsc::Sender<(AttemptRef, JobEnd)>,
    reports: mpsc::Receiver<(AttemptRef, JobEnd)>,
}

impl Attempts {
    pub(super) fn new(
        jobs: Arc<dyn Jobs>,
        vault: Arc<SealedVault>,
        uploads: Uploads,
        clock: Arc<dyn Clock>,
        tasks: Tasks,
        slots: usize,
    ) -> Self {
        let (report, reports) = mpsc::channel(limits::RUNNING_ATTEMPTS);
        Self {
            jobs,
            vault,
            uploads,
            clock,
            tasks,
            slots,
            map: BTreeMap::new(),
            report,
            reports,
        }
    }

    /// Takes an offered job, or says why not; `unwilling` is why nothing is taken on now. An offer that was accepted before is accepted again.
    pub(super) fn offered(&mut self, offer: &v1::JobOffer, unwilling: Option<Reason>) -> Up {
        let attempt = offer.attempt.clone();
        let reject = |reason: Reason, rule: String, finding: &Finding| {
            tracing::warn!(%reason, rule, %finding, "a job was not taken");
            Up::JobReject(v1::JobReject {
                attempt: attempt.clone(),
                reason: v1::Reason::from(reason).into(),
                rule,
                finding: Some(finding_to_wire(finding)),
            })
        };
        let mut job = match offered_job(offer) {
            Ok(job) => job,
            Err(refusal) => {
                self.jobs.unreadable(&refusal);
                return reject(refusal.reason, refusal.rule, &refusal.finding);
            }
        };
        if let Some(known) = self.map.get_mut(&job.attempt)
            && known.stop.is_none()
        {
            known.renew(self.clock.uptime());
            if offer.credential.is_some() {
                let (attempt, credential) = (attempt.clone(), offer.credential.clone());
                self.credential_offered(&v1::CredentialOffer { attempt, credential });
            }
            return Up::JobAccept(v1::JobAccept { attempt });
        }
        if let Some(refusal) = unwilling.map(not_now) {
            return reject(refusal.reason, refusal.rule, &refusal.finding);
        }
        if self.free_slots(job.look) == 0 || self.map.contains_key(&job.attempt) {
            let full = Finding::new(FindingCode::Internal, "no job slot is free");
            return reject(Reason::Overloaded, String::new(), &full);
        }
        if let Err(refusal) = self.jobs.admit(&job.target) {
            return reject(refusal.reason, refusal.rule, &refusal.finding);
        }
        match offered_login(&self.vault, offer.credential.as_ref(), &job.target) {
            Ok(login) => job.login = login,
            Err(refusal) => return reject(refusal.reason, refusal.rule, &refusal.finding),
        }
        let of_same_run = |known: &&AttemptRef| known.run == job.attempt.run;
        let older: Vec<AttemptRef> = self.map.keys().filter(of_same_run).copied().collect();
        for attempt in older {
            self.fence(attempt);
        }
        tracing::info!(attempt = %job.attempt, registry = %job.target.url, "a job was taken");
        self.start(job);
        Up::JobAccept(v1::JobAccept { attempt })
    }

    fn start(&mut self, job: SyncJob) {
        let now = self.clock.uptime();
        let (asks_until, until) = watch::channel(doubtful_from(now));
        let (progress, seen) = watch::channel(RunProgress::default());
        let (ended, is_ended) = watch::channel(None);
        let cancel = CancellationToken::new();
        let control = JobControl {
            cancel: cancel.clone(),
            lease: Lease::new(until, Arc::clone(&self.clock)),
            progress,
        };
        let entry = Attempt {
            look: job.look,
            registry: job.target.url.authority(),
            login: job.login.clone(),
            renewed: now,
            asks_until,
            progress: seen,
            reported: RunProgress::default(),
            reported_at: now,
            cancel: cancel.clone(),
            ended,
            stop: None,
            done: None,
        };
        let attempt = job.attempt;
        self.map.insert(attempt, entry);
        let upload = Arc::new(self.uploads.for_attempt(attempt, is_ended));
        let (jobs, report) = (Arc::clone(&self.jobs), self.report.clone());
        self.tasks.spawn("job", async move {
            let end = tokio::select! {
                end = jobs.run(job, upload, control) => end,
                () = async { cancel.cancelled().await; sleep(STOPS_WITHIN).await } => JobEnd::Cancelled,
            };
            // Fails only when the uplink itself has ended.
            let _ = report.send((attempt, end)).await;
        });
    }

    /// The next job that ends.
    pub(super) async fn next_ended(&mut self) -> (AttemptRef, JobEnd) {
        match self.reports.recv().await {
            Some(ended) => ended,
            None => std::future::pending().await,
        }
    }

    /// A job ended. Gives what to show of it.
    pub(super) fn ended(&mut self, attempt: AttemptRef, end: JobEnd) -> Option<LastWork> {
        let entry = self.map.get_mut(&attempt)?;
        let registry = entry.registry.clone();
        let text = match &end {
            JobEnd::Closed(state) => format!("the run ended {state}"),
            JobEnd::Failed(finding) => format!("failed: {finding}"),
            JobEnd::Fenced => "given up: the attempt is no longer this sensor's".to_owned(),
            JobEnd::Cancelled => "stopped".to_owned(),
        };
        let (reason, finding) = match (entry.stop, end) {
            (Some(Stop::Fenced), _) | (_, JobEnd::Closed(_) | JobEnd::Fenced) => (None, None),
            (Some(Stop::Told(reason)), _) => (Some(reason), None),
            (None, JobEnd::Failed(finding)) => (Some(Reason::Internal), Some(finding)),
            (None, JobEnd::Cancelled) => (Some(Reason::Cancelled), None),
        };
        match reason {
            None => {
                self.map.remove(&attempt);
            }
            Some(reason) => {
                entry.done = Some(v1::JobDone {
                    attempt: Some(attempt.into()),
                    reason: v1::Reason::from(reason).into(),
                    finding: finding.as_ref().map(finding_to_wire),
                });
            }
        }
        tracing::info!(%attempt, registry, how = text, "a job ended");
        Some(LastWork {
            attempt,
            registry,
            at: self.clock.now(),
            end: text,
        })
    }

    /// Gives up every attempt whose lease is lost by the time.
    pub(super) fn judge(&mut self, now: Uptime) {
        let lost: Vec<AttemptRef> = self
            .map
            .iter()
            .filter(|(_, entry)| Standing::of(entry.renewed, now) == Standing::Lost)
            .map(|(attempt, _)| *attempt)
            .collect();
        for attempt in lost {
            self.fence(attempt);
        }
    }

    /// Another version of the credential of an attempt. One that is not taken leaves the version in use.
    pub(super) fn credential_offered(&self, offer: &v1::CredentialOffer) {
        let attempt = offer.attempt.as_ref().map(AttemptRef::try_from);
        let (Some(Ok(attempt)), Some(wire)) = (attempt, &offer.credential) else {
            tracing::warn!("a credential was offered for nothing");
            return;
        };
        let Some(login) = self.map.get(&attempt).and_then(|entry| entry.login.as_ref()) else {
            return;
        };
        match self.vault.renew(wire, login) {
            Ok(()) => tracing::info!(%attempt, "another version of the credential is used from now on"),
            Err(refused) => {
                let refusal = refused.refusal(login.registry());
                tracing::warn!(%attempt, rule = refusal.rule, finding = %refusal.finding, "an offered credential was not taken");
            }
        }
    }

    /// What an answer to a heartbeat says.
    pub(super) fn renewed(&mut self, renewal: &Renewal) {
        for (attempt, at) in &renewal.renewed {
            if let Some(entry) = self.map.get_mut(attempt) {
                entry.renew(*at);
            }
        }
        for attempt in &renewal.ended {
            self.fence(*attempt);
        }
    }

    /// What a Welcome says: what it does not keep is over.
    pub(super) fn verdicts(
        &mut self,
        verdicts: &[(AttemptRef, bool)],
        listed: &[AttemptRef],
        hello_sent: Uptime,
    ) {
        let kept = |attempt: &AttemptRef| verdicts.iter().any(|(of, keep)| of == attempt && *keep);
        let (renewed, ended): (Vec<_>, Vec<_>) = listed.iter().copied().partition(kept);
        self.renewed(&Renewal {
            renewed: renewed.into_iter().map(|attempt| (attempt, hello_sent)).collect(),
            ended,
        });
    }

    /// The attempt is not ours any more.
    fn fence(&mut self, attempt: AttemptRef) {
        let Some(entry) = self.map.get_mut(&attempt) else {
            return;
        };
        if entry.done.is_some() {
            self.map.remove(&attempt);
            return;
        }
        if entry.stop == Some(Stop::Fenced) {
            return;
        }
        tracing::warn!(%attempt, "the attempt is no longer this sensor's: it is given up");
        entry.stop = Some(Stop::Fenced);
        entry.ended.send_replace(Some(Reason::StaleAttempt));
        entry.asks_until.send_replace(Uptime(Duration::ZERO));
        entry.cancel.cancel();
    }

    /// Stops an attempt that somebody cancelled.
    pub(super) fn cancel(&mut self, attempt: AttemptRef, reason: Reason) {
        if let Some(entry) = self.map.get_mut(&attempt)
            && entry.stop.is_none()
            && entry.done.is_none()
        {
            tracing::info!(%attempt, %reason, "the attempt is stopped");
            entry.stop = Some(Stop::Told(reason));
            entry.ended.send_replace(Some(reason));
            entry.cancel.cancel();
        }
    }

    /// Stops everything.
    pub(super) fn cancel_all(&mut self, reason: Reason) {
        let all: Vec<AttemptRef> = self.map.keys().copied().collect();
        for attempt in all {
            self.cancel(attempt, reason);
        }
    }

    /// Attempts that count as running.
    pub(super) fn running(&self) -> Vec<AttemptRef> {
        self.map
            .iter()
            .filter(|(_, entry)| entry.stop != Some(Stop::Fenced))
            .map(|(attempt, _)| *attempt)
            .collect()
    }

    /// Slots that are free. Looks at what events named have slots of their own.
    pub(super) fn free_slots(&self, for_looks: bool) -> usize {
        let kept = limits::LOOK_SLOTS as usize;
        let slots = if for_looks { kept } else { self.slots };
        let takes = |entry: &&Attempt| entry.done.is_none() && entry.look == for_looks;
        slots.saturating_sub(self.map.values().filter(takes).count())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    /// Ended and not reported yet.
    pub(super) fn unreported(&self) -> Vec<(AttemptRef, v1::JobDone)> {
        self.map
            .iter()
            .filter_map(|(attempt, entry)| Some((*attempt, entry.done.clone()?)))
            .collect()
    }

    /// The end of this attempt is on its way.
    pub(super) fn reported(&mut self, attempt: AttemptRef) {
        self.map.remove(&attempt);
    }

    /// Progress that is worth reporting now.
    pub(super) fn progress(&mut self, now: Uptime) -> Vec<v1::JobProgress> {
        let mut due = Vec::new();
        for (attempt, entry) in &mut self.map {
            let latest = *entry.progress.borrow();
            if latest != entry.reported
                && now.since(entry.reported_at) >= PROGRESS_EVERY
                && entry.stop.is_none()
            {
                (entry.reported, entry.reported_at) = (latest, now);
                due.push(progress_to_wire(*attempt, &latest));
            }
        }
        due
    }

    pub(super) fn view(&self) -> Vec<RunningView> {
        let view = |(attempt, entry): (&AttemptRef, &Attempt)| RunningView {
            attempt: *attempt,
            registry: entry.registry.clone(),
            progress: *entry.progress.borrow(),
        };
        self.map.iter().map(view).collect()
    }
}

#[cfg(test)]
#[path = "attempts_tests.rs"]
mod tests;
