//! The loop that owns sessions and jobs. It waits here; what follows from what happened is in `step`.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use portolan_proto::v1;
use portolan_shared::model::{AttemptRef, Diagnosis, HostFacts, ProbeId, Reason};
use portolan_shared::process::{Clock, Rng, Shutdown, Tasks, Uptime};
use tokio::sync::watch;
use tokio::time::sleep;

use super::admission::Admission;
use super::attempts::Attempts;
use super::channel::Connector;
use super::continuity::Continuity;
use super::endpoint::Endpoints;
use super::events::CAPABILITY;
use super::failure::Failure;
use super::probes::Probes;
use super::reconnect::Reconnect;
use super::recover::Recovered;
use super::renewal::RenewalSchedule;
use super::sealing::{SealingDesk, SealingParts};
use super::session::{Event, Session, Welcome};
use super::upload::Uploads;
use super::upload_link::{SessionRef, UploadLink};
use super::view::UplinkView;
use crate::audit::Witness;
use crate::credentials::SealedVault;
use crate::jobs::{JobEnd, Jobs};
use crate::keyring::{Keyring, StoredCertificate};
use crate::notify::NotifyDesk;
use crate::policy::LivePolicy;

/// What the uplink is made of.
pub struct UplinkParts {
    /// Who this sensor is.
    pub keyring: Arc<Keyring>,
    /// What Hello tells of the local policy.
    pub policy: Arc<LivePolicy>,
    /// Takes the sealed credentials that come with jobs.
    pub vault: Arc<SealedVault>,
    /// Who carries jobs out.
    pub jobs: Arc<dyn Jobs>,
    /// Keeps the checkpoints of the control plane's audit log, and knows where the sensor's own stands.
    pub witness: Arc<Witness>,
    /// Where events wait that registries of this network have notified.
    pub notify: Arc<NotifyDesk>,
    /// Makes connections.
    pub connector: Connector,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub rng: Arc<dyn Rng>,
    /// Owns connections and jobs.
    pub tasks: Tasks,
    /// What is told of this machine.
    pub host: HostFacts,
    /// Changes each time the machine starts; empty if not known.
    pub boot_id: String,
    /// Tells copies of this sensor apart, for people; none where the machine says nothing of itself.
    pub machine_fingerprint: Option<[u8; 16]>,
    /// Which start of the agent this is.
    pub incarnation: u64,
    /// Jobs that may run at once.
    pub job_slots: u32,
}

/// Why the uplink ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UplinkEnd {
    /// It was told to stop.
    Stopped,
    /// The control plane revoked this sensor; its keys are destroyed.
    Revoked,
}

/// For looking at the uplink from outside.
#[derive(Debug, Clone)]
pub struct UplinkHandle {
    /// Where it stands.
    pub view: watch::Receiver<UplinkView>,
    pulse: Arc<AtomicU64>,
}

impl UplinkHandle {
    /// When the loop was last seen going round.
    #[must_use]
    pub fn pulse(&self) -> Uptime {
        Uptime(Duration::from_millis(self.pulse.load(Ordering::Relaxed)))
    }
}

pub(super) type Opening = Pin<Box<dyn Future<Output = Opened> + Send>>;
pub(super) type Renewing = Pin<Box<dyn Future<Output = Result<StoredCertificate, Failure>> + Send>>;

/// How an attempt to open a session ended.
pub(super) struct Opened {
    pub(super) result: Result<Reached, Failure>,
    /// What its Hello listed as running.
    pub(super) listed: Vec<AttemptRef>,
}

/// What a try brought.
pub(super) enum Reached {
    Session(Box<(Session, Welcome)>),
    Certificate(Box<Recovered>),
}

/// The way to the control plane of an enrolled sensor.
pub struct Uplink {
    pub(super) parts: UplinkParts,
    pub(super) instance_nonce: [u8; 16],
    pub(super) endpoints: Endpoints,
    pub(super) reconnect: Reconnect,
    pub(super) admission: Admission,
    pub(super) continuity: Continuity,
    /// A recovery that could not be stored yet.
    pub(super) unstored: Option<Box<Recovered>>,
    /// None while there is no certificate.
    pub(super) renewal: Option<RenewalSchedule>,
    pub(super) attempts: Attempts,
    pub(super) probes: Probes,
    pub(super) link: Arc<UploadLink>,
    pub(super) current: Option<Session>,
    pub(super) opening: Option<Opening>,
    pub(super) renewing: Option<Renewing>,
    pub(super) sealing: SealingDesk,
    /// While there is no session: when to open one.
    pub(super) open_at: Uptime,
    /// While there is one: when to open another in its place.
    pub(super) replace_at: Option<Uptime>,
    /// Hash of the policy that the last Hello spoke of.
    pub(super) told_policy: Option<[u8; 32]>,
    pub(super) draining_since: Option<Uptime>,
    pub(super) end: Option<UplinkEnd>,
    pub(super) session: watch::Sender<Option<SessionRef>>,
    pub(super) view: watch::Sender<UplinkView>,
    pulse: Arc<AtomicU64>,
}

/// Something happened.
pub(super) enum Happening {
    Said(Result<Event, Failure>),
    Opened(Opened),
    Renewed(Result<StoredCertificate, Failure>),
    Sealed(Result<bool, Failure>),
    JobEnded(AttemptRef, JobEnd),
    ProbeEnded(ProbeId, Diagnosis),
    Drain,
    Cut,
    Time,
}

/// The longest time between two looks at the clocks: leases are judged by them, also after the machine slept.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Jobs have this long to stop when the agent is told to.
const DRAIN_WITHIN: Duration = Duration::from_secs(8);
/// The control plane has this long to read a goodbye.
pub(super) const GOODBYE_WITHIN: Duration = Duration::from_secs(1);

impl Uplink {
    /// Puts the parts together; nothing is contacted before [`Uplink::run`].
    ///
    /// # Errors
    /// If the enrolment names no address of the control plane.
    pub fn build(parts: UplinkParts) -> Result<(UplinkHandle, Self), Failure> {
        let endpoints =
            Endpoints::new(&parts.keyring.enrolled().endpoints, &*parts.rng).ok_or_else(|| {
                Failure::Local("the enrolment names no address of the control plane".to_owned())
            })?;
        let mut instance_nonce = [0; 16];
        parts.rng.fill(&mut instance_nonce);
        let certificate = parts.keyring.certificate();
        let renewal = certificate
            .as_ref()
            .map(|held| RenewalSchedule::new(held.life(), &*parts.clock, &*parts.rng));
        let (session, current_session) = watch::channel(None);
        let link = Arc::new(UploadLink::new(
            parts.connector.clone(),
            Arc::clone(&parts.keyring),
            current_session,
        ));
        let sealing = SealingDesk::new(SealingParts {
            keyring: Arc::clone(&parts.keyring),
            vault: Arc::clone(&parts.vault),
            clock: Arc::clone(&parts.clock),
            rng: Arc::clone(&parts.rng),
        });
        let attempts = Attempts::new(
            Arc::clone(&parts.jobs),
            Arc::clone(&parts.vault),
            Uploads::new(
                Arc::clone(&link),
                Arc::clone(&parts.rng),
                Arc::clone(&parts.clock),
            ),
            Arc::clone(&parts.clock),
            parts.tasks.clone(),
            parts.job_slots as usize,
        );
        let probes = Probes::new(
            Arc::clone(&parts.jobs),
            Arc::clone(&parts.vault),
            Arc::clone(&parts.clock),
            parts.tasks.clone(),
        );
        let (view, seen) = watch::channel(UplinkView {
            endpoint: endpoints.current().to_string(),
            renewal_planned: renewal.as_ref().map(RenewalSchedule::planned),
            ..UplinkView::default()
        });
        let now = parts.clock.uptime();
        let pulse = Arc::new(AtomicU64::new(millis(now)));
        let handle = UplinkHandle {
            view: seen,
            pulse: Arc::clone(&pulse),
        };
        let uplink = Self {
            instance_nonce,
            endpoints,
            reconnect: Reconnect::default(),
            admission: Admission::new(certificate.is_some()),
            continuity: Continuity::default(),
            unstored: None,
            renewal,
            attempts,
            probes,
            link,
            current: None,
            opening: None,
            renewing: None,
            sealing,
            open_at: now,
            replace_at: None,
            told_policy: None,
            draining_since: None,
            end: None,
            session,
            view,
            pulse,
            parts,
        };
        Ok((handle, uplink))
    }

    /// Keeps a session open and jobs running until told to stop, or revoked.
    pub async fn run(mut self, shutdown: Shutdown) -> UplinkEnd {
        loop {
            let now = self.parts.clock.uptime();
            self.pulse.store(millis(now), Ordering::Relaxed);
            self.on_time(now);
            self.publish();
            if let Some(end) = self.finished(now) {
                self.leave(end).await;
                return end;
            }
            let happening = self.wait(&shutdown, now).await;
            self.on(happening);
        }
    }

    async fn wait(&mut self, shutdown: &Shutdown, now: Uptime) -> Happening {
        let pause = self.until_next_look(now);
        let draining = self.draining_since.is_some();
        tokio::select! {
            said = next_event(&mut self.current) => Happening::Said(said),
            opened = done(&mut self.opening) => Happening::Opened(opened),
            renewed = done(&mut self.renewing) => Happening::Renewed(renewed),
            sealed = done(&mut self.sealing.working) => Happening::Sealed(sealed),
            (attempt, end) = self.attempts.next_ended() => Happening::JobEnded(attempt, end),
            (probe, diagnosis) = self.probes.next_ended() => Happening::ProbeEnded(probe, diagnosis),
            () = self.parts.notify.arrived() => Happening::Time,
            () = shutdown.cutting() => Happening::Cut,
            () = shutdown.draining(), if !draining => Happening::Drain,
            () = sleep(pause) => Happening::Time,
        }
    }

    fn until_next_look(&self, now: Uptime) -> Duration {
        let mut pause = LOOK_EVERY;
        if let Some(session) = &self.current {
            pause = pause.min(session.liveness.until_heartbeat(now));
            if let Some(due) = self.events_due() {
                pause = pause.min(due.since(now));
            }
        } else if self.opening.is_none() {
            pause = pause.min(self.open_at.since(now));
        }
        // The clock and the timer may disagree by a little: never spin.
        pause.max(Duration::from_millis(5))
    }

    /// Whether it is over, and how.
    fn finished(&self, now: Uptime) -> Option<UplinkEnd> {
        let since = self.draining_since;
        let drained = since.is_some_and(|since| self.attempts.is_empty() || now.since(since) >= DRAIN_WITHIN);
        self.end.or(drained.then_some(UplinkEnd::Stopped))
    }

    async fn leave(&mut self, end: UplinkEnd) {
        self.attempts.cancel_all(Reason::Draining);
        self.probes.cancel_all();
        self.parts.vault.withdraw(&[]);
        self.opening = None;
        if let Some(session) = self.current.take()
            && end == UplinkEnd::Stopped
        {
            session.close(Reason::Draining, GOODBYE_WITHIN).await;
        }
    }

    /// What a Hello says now.
    pub(super) fn hello(&self, running: &[AttemptRef]) -> v1::Hello {
        let parts = &self.parts;
        let policy = parts.policy.current();
        let shown = parts.keyring.continuity();
        v1::Hello {
            protocol: Some(v1::VersionRange {
                min: portolan_proto::PROTOCOL,
                max: portolan_proto::PROTOCOL,
            }),
            capabilities: ["sync", "probe", "audit", CAPABILITY].map(str::to_owned).into(),
            host: Some(parts.host.clone().into()),
            incarnation: parts.incarnation,
            instance_nonce: self.instance_nonce.to_vec().into(),
            replaces_epoch: self.session.borrow().as_ref().map_or(0, |session| session.epoch),
            boot_id: parts.boot_id.clone(),
            running: running
                .iter()
                .map(|attempt| v1::RunningAttempt {
                    attempt: Some((*attempt).into()),
                })
                .collect(),
            trust_version: parts.keyring.trust().version,
            policy_hash: policy.hash().to_vec().into(),
            policy_summary: policy.summary(),
            wall_clock_ms: parts.clock.now().as_millisecond(),
            uptime_s: parts.clock.uptime().0.as_secs(),
            job_slots: parts.job_slots,
            continuity_token: shown
                .map_or_else(Vec::new, |token| token.expose().to_vec())
                .into(),
            notify_url: parts.notify.public_url().to_owned(),
            machine_fingerprint: parts.machine_fingerprint.map_or_else(Vec::new, Vec::from).into(),
        }
    }
}

fn millis(at: Uptime) -> u64 {
    u64::try_from(at.0.as_millis()).unwrap_or(u64::MAX)
}

async fn next_event(session: &mut Option<Session>) -> Result<Event, Failure> {
    match session {
        Some(session) => session.next().await,
        None => std::future::pending().await,
    }
}

/// The output of a future that may not be there; it is gone afterwards.
async fn done<T>(slot: &mut Option<Pin<Box<dyn Future<Output = T> + Send>>>) -> T {
    let Some(future) = slot else {
        return std::future::pending().await;
    };
    let output = future.await;
    *slot = None;
    output
}
