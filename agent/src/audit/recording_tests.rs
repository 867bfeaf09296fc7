//! What is recorded, and that nothing is done that cannot be.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use portolan_shared::model::{
    AttemptRef, Budget, CaTrust, Diagnosis, Finding, FindingCode, ProbeId, Reason, RegistryId,
    RegistryTarget, RepositoryPatterns, RunId, RunProgress, RunState, Scope, TagFilter,
};
use portolan_shared::process::{Clock, ManualClock, SeededRng};
use serde_json::json;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::folder::Sink;
use super::tests::Scene;
use super::*;
use crate::inventory::tests::ControlPlane;
use crate::inventory::{Lease, Upload};
use crate::jobs::{JobControl, JobEnd, JobRefusal, Jobs, ProbeJob, SyncJob};

/// A disk that is full, or fails to sync, while it is told so.
pub(super) struct Full {
    pub(super) full: Arc<AtomicBool>,
    pub(super) unsyncable: Arc<AtomicBool>,
    pub(super) inner: Box<dyn Sink>,
}

impl Full {
    /// Puts one under this log; gives what tells it to be full, and to fail to sync.
    pub(super) fn under(log: &AuditLog) -> (Arc<AtomicBool>, Arc<AtomicBool>) {
        let (full, unsyncable) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
        let switches = (Arc::clone(&full), Arc::clone(&unsyncable));
        log.change_sink(|inner| {
            Box::new(Self {
                full,
                unsyncable,
                inner,
            })
        });
        switches
    }
}

impl Sink for Full {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.full.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.inner.append(bytes)
    }

    fn len(&self) -> u64 {
        self.inner.len()
    }

    fn syncer(&self) -> Box<dyn FnOnce() -> io::Result<()> + Send> {
        if self.unsyncable.load(Ordering::SeqCst) {
            return Box::new(|| Err(io::ErrorKind::Other.into()));
        }
        self.inner.syncer()
    }
}

#[tokio::test]
async fn t56_a_full_disk_stops_what_cannot_be_recorded_until_there_is_room() {
    let scene = Scene::new();
    let log = scene.ten();
    let (full, _) = Full::under(&log);
    full.store(true, Ordering::SeqCst);
    assert!(log.fault().is_none());
    for i in 0..1_005 {
        log.append(Entry::by_agent("test", format!("waiting:{i}"), json!({})));
    }
    assert!(log.broken().await.contains("cannot be written"));
    assert_eq!(log.head().seq, 10);
    full.store(false, Ordering::SeqCst);
    log.retry();
    assert!(log.fault().is_none());
    let actions = scene.actions();
    assert_eq!(
        actions.len(),
        10 + 1_000 + 1,
        "those that waited, and one for those beyond the bound"
    );
    assert_eq!(actions.last().unwrap(), "log.lost");
    scene.verify().unwrap();
}

/// Takes every job, and never ends one by itself.
struct Endless;

#[async_trait::async_trait]
impl Jobs for Endless {
    fn admit(&self, _: &RegistryTarget) -> Result<(), JobRefusal> {
        Ok(())
    }

    async fn run(&self, _: SyncJob, _: Arc<dyn Upload>, _: JobControl) -> JobEnd {
        std::future::pending().await
    }

    async fn probe(&self, _: ProbeJob) -> Diagnosis {
        std::future::pending().await
    }
}

#[tokio::test]
async fn t56_a_running_job_ends_and_none_is_taken_while_nothing_can_be_recorded() {
    let scene = Scene::new();
    let log = scene.ten();
    let clock: Arc<dyn Clock> = Arc::<ManualClock>::clone(&scene.clock);
    let jobs = AuditedJobs::new(
        Arc::new(Endless),
        Arc::clone(&log),
        Arc::clone(&clock),
        Outgoing::new(&log, Arc::clone(&clock)),
    );
    let target = target();
    assert!(jobs.admit(&target).is_ok());
    let running = jobs.run(sync_job(), Arc::new(ControlPlane::default()), control(clock));
    let breaking = async {
        tokio::task::yield_now().await;
        let (full, _) = Full::under(&log);
        full.store(true, Ordering::SeqCst);
        log.append(Entry::by_agent("test", "object", json!({})));
    };
    let (end, ()) = tokio::join!(running, breaking);
    let JobEnd::Failed(finding) = end else {
        panic!("{end:?}")
    };
    assert!(finding.to_string().contains("audit log"), "{finding}");
    assert!(jobs.admit(&target).is_err());
    assert_eq!(
        scene.actions().last().unwrap(),
        "job.begin",
        "it was recorded as long as that was possible"
    );
}

pub(super) fn sync_job() -> SyncJob {
    SyncJob {
        attempt: AttemptRef {
            run: RunId::random(&SeededRng::new(2)),
            attempt: 1,
        },
        target: target(),
        login: None,
        scope: Scope::default(),
        resumed: false,
        look: false,
    }
}

pub(super) fn control(clock: Arc<dyn Clock>) -> JobControl {
    JobControl {
        cancel: CancellationToken::new(),
        lease: Lease::new(watch::Sender::new(clock.uptime()).subscribe(), clock),
        progress: watch::Sender::new(RunProgress::default()),
    }
}

pub(super) fn target() -> RegistryTarget {
    RegistryTarget {
        registry: RegistryId::random(&SeededRng::new(1)),
        url: "https://r.example.com".parse().unwrap(),
        ca: CaTrust::default(),
        repositories: RepositoryPatterns::all(),
        credential: None,
        tags: TagFilter::default(),
        budget: Budget::default(),
        requests_left: None,
    }
}

/// Refuses whatever it is asked.
pub(super) struct Refusing;

#[async_trait::async_trait]
impl Jobs for Refusing {
    fn admit(&self, _: &RegistryTarget) -> Result<(), JobRefusal> {
        Err(refusal())
    }

    async fn run(&self, _: SyncJob, _: Arc<dyn Upload>, _: JobControl) -> JobEnd {
        std::future::pending().await
    }

    async fn probe(&self, _: ProbeJob) -> Diagnosis {
        std::future::pending().await
    }
}

fn refusal() -> JobRefusal {
    JobRefusal {
        reason: Reason::Policy,
        rule: "policy:test".to_owned(),
        finding: Finding::new(FindingCode::PolicyRefused, "not here"),
    }
}

/// These jobs, recorded in this log.
pub(super) fn recorded(scene: &Scene, log: &Arc<AuditLog>, jobs: impl Jobs + 'static) -> AuditedJobs {
    let clock: Arc<dyn Clock> = Arc::<ManualClock>::clone(&scene.clock);
    let outgoing = Outgoing::new(log, Arc::clone(&clock));
    AuditedJobs::new(Arc::new(jobs), Arc::clone(log), clock, outgoing)
}

/// How often each action was recorded.
pub(super) fn count(scene: &Scene, action: &str) -> usize {
    scene.actions().iter().filter(|known| *known == action).count()
}

#[test]
fn offers_that_are_refused_do_not_push_anything_out_of_the_log_and_are_counted() {
    let scene = Scene::new();
    let log = scene.open();
    let jobs = recorded(&scene, &log, Refusing);
    for _ in 0..5_000 {
        assert!(jobs.admit(&target()).is_err());
    }
    let at_once = Rate::SAID.at_once as usize;
    assert_eq!(count(&scene, "policy.refused"), at_once);
    let other = JobRefusal {
        rule: "policy:other".to_owned(),
        ..refusal()
    };
    jobs.unreadable(&other);
    assert_eq!(
        count(&scene, "policy.refused"),
        at_once + 1,
        "the first by its rule"
    );
    // Whatever was offered before, each host is named.
    let mut elsewhere = target();
    elsewhere.url = "https://elsewhere.example.com".parse().unwrap();
    for _ in 0..2 {
        assert!(jobs.admit(&elsewhere).is_err());
    }
    assert_eq!(count(&scene, "policy.refused"), at_once + 2, "once a day");
    scene.clock.advance(Rate::SAID.every);
    assert!(jobs.admit(&target()).is_err());
    assert_eq!(count(&scene, "policy.refused"), at_once + 3);
    log.record_due(scene.clock.uptime());
    let newest = tests::read(&folder::path_of(&scene.path(), 0));
    let said = format!(
        "\\\"kind\\\":\\\"policy:test\\\",\\\"withheld\\\":{{\\\"of\\\":[\\\"registry:elsewhere.example.com:443\\\",\\\"registry:r.example.com:443\\\"],\\\"records\\\":{}}}",
        5_000 - at_once + 1
    );
    assert!(newest.lines().last().unwrap().contains(&said), "{newest}");
    scene.verify().unwrap();
}

pub(super) fn probe() -> ProbeJob {
    ProbeJob {
        probe: ProbeId::random(&SeededRng::new(3)),
        target: target(),
        login: None,
        repository: None,
        within: std::time::Duration::from_secs(1),
    }
}

/// Ends every job at once, in the same way.
pub(super) struct Ended(pub(super) JobEnd);

#[async_trait::async_trait]
impl Jobs for Ended {
    fn admit(&self, _: &RegistryTarget) -> Result<(), JobRefusal> {
        Ok(())
    }

    async fn run(&self, _: SyncJob, _: Arc<dyn Upload>, _: JobControl) -> JobEnd {
        self.0.clone()
    }

    async fn probe(&self, _: ProbeJob) -> Diagnosis {
        Diagnosis::default()
    }
}

/// The last record, by its action and outcome.
fn last(scene: &Scene) -> (String, String) {
    let lines = files_in(&scene.path())
        .into_iter()
        .flat_map(|file| file.lines().unwrap());
    let records = lines.filter_map(|line| match line.unwrap() {
        Read::Record(linked) => Some((linked.record.action, linked.record.outcome)),
        Read::Rubbish { .. } => None,
    });
    records.last().unwrap()
}

#[tokio::test]
async fn a_run_that_failed_is_not_recorded_as_one_that_went_well() {
    for (state, outcome) in [
        (RunState::Complete, "ok"),
        (RunState::Partial, "ok"),
        (RunState::Failed, "failed"),
        (RunState::Cancelled, "failed"),
    ] {
        let scene = Scene::new();
        let log = scene.open();
        let clock: Arc<dyn Clock> = Arc::<ManualClock>::clone(&scene.clock);
        let outgoing = Outgoing::new(&log, Arc::clone(&clock));
        let jobs = AuditedJobs::new(
            Arc::new(Ended(JobEnd::Closed(state))),
            log,
            Arc::clone(&clock),
            outgoing,
        );
        let ended = jobs.run(sync_job(), Arc::new(ControlPlane::default()), control(clock));
        assert_eq!(ended.await, JobEnd::Closed(state));
        assert_eq!(last(&scene), ("job.end".to_owned(), outcome.to_owned()));
    }
}

#[tokio::test]
async fn what_is_dropped_has_an_end_in_the_log_too() {
    use futures::FutureExt as _;
    let scene = Scene::new();
    let log = scene.open();
    let clock: Arc<dyn Clock> = Arc::<ManualClock>::clone(&scene.clock);
    let outgoing = Outgoing::new(&log, Arc::clone(&clock));
    let jobs = AuditedJobs::new(Arc::new(Endless), log, Arc::clone(&clock), outgoing);
    assert!(
        jobs.probe(probe()).now_or_never().is_none(),
        "it goes on, and is cancelled"
    );
    assert_eq!(last(&scene), ("probe.end".to_owned(), "failed".to_owned()));
    let running = jobs.run(sync_job(), Arc::new(ControlPlane::default()), control(clock));
    assert!(running.now_or_never().is_none());
    assert_eq!(last(&scene), ("job.end".to_owned(), "failed".to_owned()));
}

#[tokio::test]
async fn t56_a_job_that_is_ready_to_go_on_does_nothing_more_once_nothing_can_be_recorded() {
    let scene = Scene::new();
    let log = scene.open();
    let clock: Arc<dyn Clock> = Arc::<ManualClock>::clone(&scene.clock);
    let outgoing = Outgoing::new(&log, Arc::clone(&clock));
    let (full, _) = Full::under(&log);
    full.store(true, Ordering::SeqCst);
    let done = JobEnd::Closed(RunState::Complete);
    let jobs = AuditedJobs::new(Arc::new(Ended(done)), log, Arc::clone(&clock), outgoing);
    // Whichever is looked at first must be the same each time.
    for _ in 0..32 {
        let running = jobs.run(
            sync_job(),
            Arc::new(ControlPlane::default()),
            control(Arc::clone(&clock)),
        );
        assert!(matches!(running.await, JobEnd::Failed(_)));
    }
}
