use std::sync::Mutex;

use async_trait::async_trait;
use portolan_proto::convert::probe_report;
use portolan_shared::model::{Reason, RegistryId, RegistryTarget, StageReport};
use portolan_shared::process::{ManualClock, SeededRng, Shutdown};
use tokio::sync::Semaphore;

use super::*;
use crate::inventory::Upload;
use crate::jobs::{JobControl, JobEnd, JobRefusal, SyncJob};

/// Probes that end when they are let.
struct Doctor {
    started: Mutex<Vec<ProbeJob>>,
    go: Semaphore,
}

#[async_trait]
impl Jobs for Doctor {
    fn admit(&self, target: &RegistryTarget) -> Result<(), JobRefusal> {
        if target.url.host() == "forbidden" {
            return Err(JobRefusal {
                reason: Reason::Policy,
                rule: "policy:default".into(),
                finding: Finding::new(FindingCode::PolicyRefused, "no entry"),
            });
        }
        Ok(())
    }

    async fn run(&self, _: SyncJob, _: Arc<dyn Upload>, _: JobControl) -> JobEnd {
        panic!("no job was offered")
    }

    async fn probe(&self, job: ProbeJob) -> Diagnosis {
        self.started.lock().unwrap().push(job);
        self.go.acquire().await.unwrap().forget();
        Diagnosis {
            stages: vec![StageReport::new(Stage::Policy, 1, &[], Vec::new())],
            ..Diagnosis::default()
        }
    }
}

struct Bench {
    doctor: Arc<Doctor>,
    clock: Arc<ManualClock>,
    tasks: Tasks,
    probes: Probes,
}

impl Bench {
    fn new() -> Self {
        let doctor = Arc::new(Doctor {
            started: Mutex::default(),
            go: Semaphore::new(0),
        });
        let clock = Arc::new(ManualClock::at_unix_seconds(1_000_000));
        let tasks = Tasks::new(Shutdown::new());
        let jobs: Arc<dyn Jobs> = Arc::<Doctor>::clone(&doctor);
        let probes = Probes::new(
            jobs,
            crate::credentials::bench::Bench::new().vault,
            Arc::clone(&clock) as _,
            tasks.clone(),
        );
        Self {
            doctor,
            clock,
            tasks,
            probes,
        }
    }

    /// Waits until so many probes have begun.
    async fn started(&self, count: usize) {
        while self.doctor.started.lock().unwrap().len() < count {
            tokio::task::yield_now().await;
        }
    }

    /// Lets one probe end, and gives the report.
    async fn end_one(&mut self) -> ProbeId {
        self.doctor.go.add_permits(1);
        let (probe, diagnosis) = self.probes.next_ended().await;
        let report = self.probes.ended(probe, &diagnosis);
        assert_eq!(reported(report), Some((probe, diagnosis)));
        probe
    }
}

fn reported(up: Option<Up>) -> Option<(ProbeId, Diagnosis)> {
    match up {
        Some(Up::ProbeReport(report)) => Some(probe_report(&report).unwrap()),
        Some(other) => panic!("{other:?} is no report"),
        None => None,
    }
}

fn id(n: u64) -> ProbeId {
    ProbeId::random(&SeededRng::new(n))
}

fn offer(n: u64, host: &str) -> v1::ProbeOffer {
    v1::ProbeOffer {
        probe_id: id(n).as_bytes().to_vec().into(),
        registry: Some(v1::RegistryTarget {
            registry_id: RegistryId::random(&SeededRng::new(n)).as_bytes().to_vec().into(),
            url: format!("https://{host}"),
            concurrency: 1,
            ..v1::RegistryTarget::default()
        }),
        repository: String::new(),
        seconds_left: 120,
        credential: None,
    }
}

#[tokio::test]
async fn so_many_at_once_and_the_others_in_turn() {
    let mut bench = Bench::new();
    for n in 0..5 {
        assert_eq!(reported(bench.probes.offered(&offer(n, "h"))), None);
    }
    bench.started(limits::PROBES_AT_ONCE).await;
    assert_eq!(bench.probes.waiting.len(), 5 - limits::PROBES_AT_ONCE);
    let mut ended = Vec::new();
    for _ in 0..5 {
        ended.push(bench.end_one().await);
        assert!(bench.probes.running.len() <= limits::PROBES_AT_ONCE);
    }
    ended.sort();
    let mut all: Vec<ProbeId> = (0..5).map(id).collect();
    all.sort();
    assert_eq!(ended, all);
    assert!(bench.probes.running.is_empty() && bench.probes.waiting.is_empty());
}

#[tokio::test]
async fn the_same_probe_is_answered_once() {
    let mut bench = Bench::new();
    for _ in 0..3 {
        assert_eq!(reported(bench.probes.offered(&offer(1, "h"))), None);
    }
    assert_eq!(bench.end_one().await, id(1));
    assert!(bench.probes.running.is_empty() && bench.probes.waiting.is_empty());
    assert_eq!(bench.doctor.started.lock().unwrap().len(), 1);
    // Once it has been answered it may be asked for again: the answer may have been lost.
    bench.probes.offered(&offer(1, "h"));
    assert_eq!(bench.end_one().await, id(1));
}

#[tokio::test]
async fn what_is_not_allowed_or_not_understood_is_answered_at_once() {
    let mut bench = Bench::new();
    let failure = |up: Option<Up>| {
        let (_, diagnosis) = reported(up).unwrap();
        assert_eq!(diagnosis.stages.len(), Stage::ALL.len());
        let stage = diagnosis.first_failure().unwrap();
        (stage.stage, stage.findings[0].code)
    };
    let refused = bench.probes.offered(&offer(1, "forbidden"));
    assert_eq!(failure(refused), (Stage::Policy, FindingCode::PolicyRefused));
    let mut odd = offer(2, "h");
    odd.repository = "Not A Name".into();
    assert_eq!(
        failure(bench.probes.offered(&odd)),
        (Stage::Policy, FindingCode::Internal)
    );
    odd = offer(4, &format!("h/{}", "a".repeat(limits::REGISTRY_PATH_BYTES)));
    assert_eq!(
        failure(bench.probes.offered(&odd)),
        (Stage::Policy, FindingCode::PolicyRefused),
        "no registry has so long a path"
    );
    odd = offer(3, "h");
    odd.registry = None;
    assert_eq!(
        failure(bench.probes.offered(&odd)),
        (Stage::Policy, FindingCode::Internal)
    );
    odd.probe_id = vec![1].into();
    assert_eq!(reported(bench.probes.offered(&odd)), None, "whose answer?");
    assert!(bench.doctor.started.lock().unwrap().is_empty());
}

#[tokio::test]
async fn no_more_wait_than_the_bound() {
    let mut bench = Bench::new();
    let taken = limits::PROBES_AT_ONCE + limits::PROBES_WAITING;
    for n in 0..taken as u64 {
        assert_eq!(reported(bench.probes.offered(&offer(n, "h"))), None, "{n}");
    }
    let (probe, diagnosis) = reported(bench.probes.offered(&offer(taken as u64, "h"))).unwrap();
    assert_eq!(probe, id(taken as u64));
    assert!(!diagnosis.is_sound());
}

#[tokio::test]
async fn time_that_was_waited_is_lost_and_what_nobody_waits_for_is_not_begun() {
    let mut bench = Bench::new();
    for n in 0..4 {
        bench.probes.offered(&offer(n, "h"));
    }
    bench.started(2).await;
    let within = |bench: &Bench, n: usize| bench.doctor.started.lock().unwrap()[n].within;
    assert_eq!(
        within(&bench, 0),
        Duration::from_secs(limits::PROBE_SECONDS),
        "never longer than a probe may take"
    );
    bench.clock.advance(Duration::from_secs(60));
    bench.end_one().await;
    bench.started(3).await;
    assert_eq!(within(&bench, 2), Duration::from_secs(57));
    bench.clock.advance(Duration::from_secs(58));
    bench.end_one().await;
    assert!(bench.probes.waiting.is_empty());
    bench.end_one().await;
    assert_eq!(bench.doctor.started.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn when_the_sensor_stops_probes_stop_and_say_nothing() {
    let mut bench = Bench::new();
    for n in 0..4 {
        bench.probes.offered(&offer(n, "h"));
    }
    bench.started(2).await;
    bench.probes.cancel_all();
    bench.tasks.shutdown().start_drain();
    bench.tasks.ended().await;
    assert!(bench.probes.reports.try_recv().is_err());
    assert_eq!(bench.doctor.started.lock().unwrap().len(), 2);
    let late = Diagnosis::default();
    assert_eq!(reported(bench.probes.ended(id(0), &late)), None);
}
