//! What is recorded, and that nothing is done that cannot be.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use portolan_registry::{AnyHost, Gate as _, Hop, Purpose};
use portolan_shared::model::{
    AttemptRef, Budget, CaTrust, Diagnosis, Finding, FindingCode, Reason, RegistryId, RegistryTarget,
    RepositoryPatterns, RunId, RunProgress, Scope, TagFilter,
};
use portolan_shared::process::{Clock, ManualClock, SeededRng};
use serde_json::json;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::folder::Sink;
use super::tally::Sent;
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
        "cp:1".to_owned(),
    );
    let target = target();
    assert!(jobs.admit(&target).is_ok());
    let job = SyncJob {
        attempt: AttemptRef {
            run: RunId::random(&SeededRng::new(2)),
            attempt: 1,
        },
        target: target.clone(),
        login: None,
        scope: Scope::default(),
        resumed: false,
    };
    let control = JobControl {
        cancel: CancellationToken::new(),
        lease: Lease::new(watch::Sender::new(clock.uptime()).subscribe(), clock),
        progress: watch::Sender::new(RunProgress::default()),
    };
    let running = jobs.run(job, Arc::new(ControlPlane::default()), control);
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

fn target() -> RegistryTarget {
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
struct Refusing;

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

#[test]
fn a_refusal_is_recorded_once_a_minute_and_so_is_an_offer_that_names_no_registry() {
    let scene = Scene::new();
    let log = scene.open();
    let clock: Arc<dyn Clock> = Arc::<ManualClock>::clone(&scene.clock);
    let jobs = AuditedJobs::new(Arc::new(Refusing), Arc::clone(&log), clock, "cp:1".to_owned());
    let refusals = || {
        scene
            .actions()
            .iter()
            .filter(|action| *action == "policy.refused")
            .count()
    };
    for _ in 0..50 {
        assert!(jobs.admit(&target()).is_err());
        jobs.unreadable(&refusal());
    }
    assert_eq!(refusals(), 2, "one for the registry, one for what named none");
    scene.clock.advance(std::time::Duration::from_secs(60));
    assert!(jobs.admit(&target()).is_err());
    assert_eq!(refusals(), 3);
    let newest = tests::read(&folder::path_of(&scene.path(), 0));
    assert!(
        newest.lines().last().unwrap().contains("\\\"times\\\":50"),
        "{newest}"
    );
}

#[test]
fn what_left_is_told_host_by_host_and_kind_by_kind() {
    let scene = Scene::new();
    let log = scene.open();
    let clock = || Arc::<ManualClock>::clone(&scene.clock) as Arc<dyn Clock>;
    let hop = |host, purpose| Hop {
        https: true,
        host,
        port: 443,
        purpose,
    };
    for _ in 0..2 {
        let (log, registry) = (Arc::clone(&log), "r.example.com:443".to_owned());
        let gate = AuditedGate::new(Arc::new(AnyHost), log, clock(), registry);
        for _ in 0..3 {
            gate.contacted(&hop("r.example.com", Purpose::Registry));
            gate.received(&hop("r.example.com", Purpose::Registry), 100)
                .unwrap();
        }
        gate.contacted(&hop("auth.example.com", Purpose::Realm));
        // A question is no contact.
        gate.check_host(&hop("asked.example.com", Purpose::Storage))
            .unwrap();
        scene.clock.advance(std::time::Duration::from_secs(60));
    }
    scene.clock.advance(std::time::Duration::from_secs(60));
    let sent = Sent::new(
        Arc::clone(&log),
        clock(),
        "cp.example.com:7443".to_owned(),
        "attempt:x".to_owned(),
    );
    sent.count(|kinds| {
        kinds.tags.add(5, 50);
        kinds.manifests.add(1, 400);
    });
    drop(sent);
    let account = outbound(&files_in(&scene.path()), None).unwrap();
    let hosts: Vec<_> = account
        .hosts
        .iter()
        .map(|host| {
            (
                host.purpose.as_str(),
                host.host.as_str(),
                host.requests,
                host.bytes,
            )
        })
        .collect();
    assert_eq!(
        hosts,
        [
            ("control plane", "cp.example.com:7443", 0, 450),
            ("registry", "r.example.com:443", 6, 600),
            ("token service", "auth.example.com:443", 2, 0),
        ]
    );
    assert!(account.hosts[1].last > account.hosts[1].first);
    let kinds: Vec<_> = account
        .data
        .iter()
        .map(|kind| (kind.kind, kind.count, kind.bytes))
        .collect();
    assert_eq!(kinds, [("tags", 5, 50), ("manifests", 1, 400)]);
    assert_eq!(account.registries, ["r.example.com:443"]);
    let text = account.to_string();
    assert!(
        text.contains("6 requests, 600 bytes received") && text.contains("tags              5 (50 bytes)"),
        "{text}"
    );
    let later = outbound(&files_in(&scene.path()), Some(scene.clock.now())).unwrap();
    assert_eq!(later.hosts.len(), 1, "only what was recorded since");
}
