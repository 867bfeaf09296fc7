//! An agent in this process, with jobs that the test steers.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use portolan_agent::inventory::{Closing, Upload, UploadError};
use portolan_agent::jobs::{JobControl, JobEnd, JobRefusal, Jobs, ProbeJob, SyncJob};
use portolan_agent::settings::{Environment, Flags, Settings};
use portolan_agent::uplink::UplinkView;
use portolan_agent::wiring::{Agent, AgentEnd, AgentHandle, AgentParts};
use portolan_proto::convert::Refusal;
use portolan_proto::v1;
use portolan_proto::v1::control_message::Body as Down;
use portolan_proto::v1::sensor_message::Body as Up;
use portolan_shared::model::{
    AttemptRef, ContentKind, Diagnosis, Digest, Finding, FindingCode, ProbeId, Reason, RegistryId,
    RegistryTarget, RunId, RunProgress, Stage, StageReport,
};
use portolan_shared::process::{Clock, Shutdown, SystemClock, SystemRng, Tasks};
use tokio::sync::{Semaphore, mpsc};
use tonic::Status;

use crate::opened::Opened;

/// The parts of an agent on this directory, with the settings of the file `agent.toml` in it, if there is one.
pub fn parts(data_dir: &Path) -> AgentParts {
    parts_at(data_dir, Arc::new(SystemClock))
}

fn parts_at(data_dir: &Path, clock: Arc<dyn Clock>) -> AgentParts {
    let config = data_dir.join("agent.toml");
    let flags = Flags {
        config: config.exists().then_some(config),
        data_dir: Some(data_dir.display().to_string()),
        ..Flags::default()
    };
    AgentParts {
        settings: Settings::read(&flags, &Environment::default()).unwrap(),
        environment: Environment::default(),
        clock,
        rng: Arc::new(SystemRng),
        tasks: Tasks::new(Shutdown::new()),
    }
}

/// Jobs that wait for a permit, then close their run.
pub struct Waiting {
    go: Arc<Semaphore>,
    started: mpsc::UnboundedSender<AttemptRef>,
    probed: mpsc::UnboundedSender<ProbeId>,
}

#[async_trait]
impl Jobs for Waiting {
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

    async fn run(&self, job: SyncJob, upload: Arc<dyn Upload>, control: JobControl) -> JobEnd {
        self.started.send(job.attempt).unwrap();
        let progress = RunProgress {
            tags: 5,
            ..RunProgress::default()
        };
        control.progress.send_replace(progress);
        tokio::select! {
            permit = self.go.acquire() => permit.unwrap().forget(),
            () = control.cancel.cancelled() => return JobEnd::Cancelled,
        }
        let close = async {
            let digests = [Digest::sha256_of(b"1"), Digest::sha256_of(b"2")];
            upload.offer_digests(ContentKind::Manifest, &digests).await?;
            let closing = Closing {
                progress: RunProgress {
                    requests: 17,
                    bytes_up: upload.bytes_sent(),
                    ..progress
                },
                ..Closing::default()
            };
            upload.close_run(&closing).await
        };
        match close.await {
            Ok(state) => JobEnd::Closed(state),
            Err(UploadError::Fenced(_) | UploadError::Refused { .. }) => JobEnd::Fenced,
        }
    }

    /// Waits for a permit as well, and says which repository it was to try.
    async fn probe(&self, job: ProbeJob) -> Diagnosis {
        self.probed.send(job.probe).unwrap();
        self.go.acquire().await.unwrap().forget();
        let seen = job.repository.map(|name| name.to_string());
        Diagnosis {
            stages: vec![StageReport::new(
                Stage::Policy,
                1,
                &Vec::from_iter(seen),
                Vec::new(),
            )],
            ..Diagnosis::default()
        }
    }
}

pub struct Running {
    pub handle: AgentHandle,
    pub tasks: Tasks,
    pub ended: mpsc::Receiver<AgentEnd>,
    pub go: Arc<Semaphore>,
    pub started: mpsc::UnboundedReceiver<AttemptRef>,
    pub probed: mpsc::UnboundedReceiver<ProbeId>,
}

pub async fn run_agent(data_dir: &Path) -> Running {
    run_agent_at(data_dir, Arc::new(SystemClock)).await
}

/// On a machine with this clock.
pub async fn run_agent_at(data_dir: &Path, clock: Arc<dyn Clock>) -> Running {
    let (started, starts) = mpsc::unbounded_channel();
    let (probed, probes) = mpsc::unbounded_channel();
    let go = Arc::new(Semaphore::new(0));
    let jobs = Arc::new(Waiting {
        go: Arc::clone(&go),
        started,
        probed,
    });
    let parts = parts_at(data_dir, clock);
    let tasks = parts.tasks.clone();
    let (handle, agent) = Agent::build_with(parts, |_, _, _| jobs).await.unwrap();
    let (end, ended) = mpsc::channel(1);
    tasks.spawn("agent", async move {
        let _ = end.send(agent.run().await).await;
    });
    Running {
        handle,
        tasks,
        ended,
        go,
        started: starts,
        probed: probes,
    }
}

impl Running {
    /// Waits until the way to the control plane looks like this.
    pub async fn sees(&self, what: impl Fn(&UplinkView) -> bool) -> UplinkView {
        self.handle
            .view()
            .wait_for(|view| what(view))
            .await
            .unwrap()
            .clone()
    }

    pub async fn stop(mut self) -> AgentEnd {
        self.tasks.shutdown().start_drain();
        let end = self.ended.recv().await.unwrap();
        self.tasks.ended().await;
        assert!(!self.tasks.any_failed());
        end
    }
}

pub fn target(host: &str) -> v1::RegistryTarget {
    v1::RegistryTarget {
        registry_id: RegistryId::random(&SystemRng).as_bytes().to_vec().into(),
        url: format!("https://{host}"),
        concurrency: 4,
        ..v1::RegistryTarget::default()
    }
}

pub fn offer(host: &str) -> (AttemptRef, Down) {
    let attempt = AttemptRef {
        run: RunId::random(&SystemRng),
        attempt: 1,
    };
    let offer = v1::JobOffer {
        attempt: Some(attempt.into()),
        lease_ms: 60_000,
        registry: Some(target(host)),
        resumed: false,
        look: false,
        credential: None,
        job: Some(v1::job_offer::Job::Sync(v1::SyncJob::default())),
    };
    (attempt, Down::JobOffer(offer))
}

pub fn refusal(reason: Reason) -> Status {
    Refusal {
        reason,
        retry_after: None,
        server_time: Timestamp::UNIX_EPOCH,
        request_id: String::new(),
        text: String::new(),
    }
    .into_status()
}

pub fn state_files(path: &Path) -> BTreeMap<String, Vec<u8>> {
    std::fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_type().unwrap().is_file())
        .map(|entry| {
            (
                entry.file_name().into_string().unwrap(),
                std::fs::read(entry.path()).unwrap(),
            )
        })
        .collect()
}

pub async fn accepted(session: &mut Opened, host: &str) -> AttemptRef {
    let (attempt, offer) = offer(host);
    session.say(offer).await;
    let Some(Up::JobAccept(accept)) = session.hear().await else {
        panic!("the job was not accepted");
    };
    assert_eq!(accept.attempt, Some(attempt.into()));
    attempt
}
