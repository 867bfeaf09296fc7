use std::time::Duration;

use async_trait::async_trait;
use portolan_shared::model::{Diagnosis, RegistryId, RegistryTarget, RunId, RunState, limits};
use portolan_shared::process::{ManualClock, Rng, SeededRng, Shutdown, SystemRng};

use super::super::channel::Connector;
use super::super::upload_link::UploadLink;
use super::*;
use crate::inventory::Upload;
use crate::jobs::{JobRefusal, ProbeJob};
use crate::settings::ProxySettings;

/// Jobs that run until cancelled, or not even then.
struct Endless {
    deaf: bool,
}

#[async_trait]
impl Jobs for Endless {
    fn admit(&self, _: &RegistryTarget) -> Result<(), JobRefusal> {
        Ok(())
    }

    async fn run(&self, _: SyncJob, _: Arc<dyn Upload>, control: JobControl) -> JobEnd {
        if self.deaf {
            std::future::pending::<()>().await;
        }
        control.cancel.cancelled().await;
        JobEnd::Cancelled
    }

    async fn probe(&self, _: ProbeJob) -> Diagnosis {
        panic!("no probe was offered")
    }
}

struct Bench {
    attempts: Attempts,
    clock: Arc<ManualClock>,
    _folder: tempfile::TempDir,
}

fn bench(deaf: bool, slots: usize) -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at_unix_seconds(1_000_000));
    let tasks = Tasks::new(Shutdown::new());
    let rng: Arc<dyn Rng> = Arc::new(SystemRng);
    let connector = Connector::new(ProxySettings::default(), Arc::clone(&clock) as _, tasks.clone());
    let link = UploadLink::new(
        connector,
        Arc::new(crate::credentials::bench::enrol(folder.path())),
        watch::channel(None).1,
    );
    let attempts = Attempts::new(
        Arc::new(Endless { deaf }),
        crate::credentials::bench::Bench::new().vault,
        Uploads::new(Arc::new(link), rng, Arc::clone(&clock) as _),
        Arc::clone(&clock) as _,
        tasks,
        slots,
    );
    Bench {
        attempts,
        clock,
        _folder: folder,
    }
}

fn offer(run: u64, attempt: u32) -> (AttemptRef, v1::JobOffer) {
    let attempt = AttemptRef {
        run: RunId::random(&SeededRng::new(run)),
        attempt,
    };
    let offer = v1::JobOffer {
        attempt: Some(attempt.into()),
        lease_ms: 60_000,
        registry: Some(v1::RegistryTarget {
            registry_id: RegistryId::random(&SystemRng).as_bytes().to_vec().into(),
            url: "https://h".into(),
            concurrency: 1,
            ..v1::RegistryTarget::default()
        }),
        resumed: false,
        look: false,
        credential: None,
        job: Some(v1::job_offer::Job::Sync(v1::SyncJob::default())),
    };
    (attempt, offer)
}

impl Bench {
    fn take(&mut self, run: u64, attempt: u32) -> AttemptRef {
        let (attempt, offer) = offer(run, attempt);
        assert!(matches!(self.attempts.offered(&offer, None), Up::JobAccept(_)));
        attempt
    }

    fn rejection(&mut self, offer: &v1::JobOffer, draining: bool) -> v1::Reason {
        match self.attempts.offered(offer, draining.then_some(Reason::Draining)) {
            Up::JobReject(reject) => reject.reason(),
            other => panic!("not rejected: {other:?}"),
        }
    }

    async fn next_end(&mut self) -> (AttemptRef, JobEnd) {
        let (attempt, end) = self.attempts.next_ended().await;
        self.attempts.ended(attempt, end.clone());
        (attempt, end)
    }
}

#[tokio::test(start_paused = true)]
async fn offers_are_taken_once_and_only_while_there_is_room() {
    let mut bench = bench(false, 1);
    let first = bench.take(1, 1);
    assert_eq!(bench.take(1, 1), first, "a repeated offer is accepted again");
    assert_eq!(bench.attempts.running(), [first]);
    let (_, second) = offer(2, 1);
    assert_eq!(bench.rejection(&second, false), v1::Reason::Overloaded);
    assert_eq!(bench.rejection(&second, true), v1::Reason::Draining);
    let unknown = v1::JobOffer {
        job: None,
        ..offer(3, 1).1
    };
    assert_eq!(bench.rejection(&unknown, false), v1::Reason::Unsupported);
    let nameless = v1::JobOffer {
        attempt: None,
        ..second
    };
    assert_eq!(bench.rejection(&nameless, false), v1::Reason::Unsupported);
}

#[tokio::test(start_paused = true)]
async fn t28_a_lease_in_doubt_pauses_the_job_and_a_lost_one_ends_it_in_silence() {
    let mut bench = bench(false, 2);
    let attempt = bench.take(1, 1);
    let until = bench.attempts.map[&attempt].asks_until.subscribe();
    let lease = Lease::new(until, Arc::clone(&bench.clock) as _);
    let judge = |bench: &mut Bench, seconds| {
        bench.clock.advance(Duration::from_secs(seconds));
        bench.attempts.judge(bench.clock.uptime());
    };
    judge(&mut bench, 49);
    assert!(lease.is_held());
    judge(&mut bench, 1);
    assert!(!lease.is_held(), "in doubt");
    let renewal = Renewal {
        renewed: vec![(attempt, bench.clock.uptime())],
        ended: Vec::new(),
    };
    bench.attempts.renewed(&renewal);
    assert!(lease.is_held(), "renewed");
    bench.clock.advance(Duration::from_secs(70));
    assert!(
        !lease.is_held(),
        "a process that was stopped has not judged anything yet"
    );
    judge(&mut bench, 0);
    assert!(!lease.is_held() && bench.attempts.running().is_empty());
    bench.attempts.renewed(&renewal);
    assert!(!lease.is_held(), "what was given up is not taken back");
    assert_eq!(bench.next_end().await, (attempt, JobEnd::Cancelled));
    assert!(bench.attempts.is_empty() && bench.attempts.unreported().is_empty());
}

#[tokio::test(start_paused = true)]
async fn t58_a_cancelled_job_that_does_not_listen_is_dropped_after_five_seconds() {
    let mut bench = bench(true, 1);
    let attempt = bench.take(1, 1);
    let before = tokio::time::Instant::now();
    bench.attempts.cancel(attempt, Reason::Cancelled);
    assert_eq!(bench.next_end().await.1, JobEnd::Cancelled);
    assert_eq!(before.elapsed().as_secs(), 5, "on the virtual clock");
    let (_, done) = bench.attempts.unreported().remove(0);
    assert_eq!(done.reason(), v1::Reason::Cancelled);
    assert_eq!(
        bench.attempts.running(),
        [attempt],
        "leased until its end is reported"
    );
    assert_eq!(bench.attempts.free_slots(false), 1);
    bench.attempts.reported(attempt);
    assert!(bench.attempts.is_empty());
}

#[tokio::test(start_paused = true)]
async fn looks_have_slots_that_nothing_else_takes() {
    let mut bench = bench(false, 1);
    for run in 2..2 + u64::from(limits::LOOK_SLOTS) {
        let (_, mut offer) = offer(run, 1);
        offer.look = true;
        assert!(matches!(bench.attempts.offered(&offer, None), Up::JobAccept(_)));
    }
    bench.take(1, 1);
    let (_, other) = offer(8, 1);
    let refused = bench.attempts.offered(&other, None);
    assert!(matches!(refused, Up::JobReject(_)), "the one slot is taken");
    let (_, mut offer) = offer(9, 1);
    offer.look = true;
    let Up::JobReject(reject) = bench.attempts.offered(&offer, None) else {
        panic!("one look too many");
    };
    assert_eq!(reject.reason(), v1::Reason::Overloaded);
}

#[tokio::test(start_paused = true)]
async fn t27_a_newer_attempt_of_the_same_run_fences_the_older_one() {
    let mut bench = bench(false, 2);
    let old = bench.take(1, 1);
    let new = bench.take(1, 2);
    assert_eq!(bench.attempts.running(), [new]);
    assert_eq!(bench.next_end().await.0, old);
    assert!(bench.attempts.unreported().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_late_end_of_an_attempt_that_is_gone_changes_nothing() {
    let mut bench = bench(false, 1);
    let (attempt, _) = offer(1, 1);
    assert_eq!(
        bench.attempts.ended(attempt, JobEnd::Closed(RunState::Complete)),
        None
    );
    bench.attempts.cancel(attempt, Reason::Cancelled);
    bench.attempts.fence(attempt);
    assert!(bench.attempts.is_empty());
}
