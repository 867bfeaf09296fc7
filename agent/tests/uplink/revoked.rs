//! A revoked sensor that something starts again and again.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use portolan_agent::keyring::{Keyring, StateDir};
use portolan_agent::settings::{Environment, Flags, Settings};
use portolan_agent::wiring::{Agent, AgentError, AgentParts, RevokedWait, WaitEnd};
use portolan_shared::process::{Clock, ManualClock, Shutdown, SystemRng, Tasks};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use crate::agent::state_files;
use crate::plane::{ControlPlane, DAY, Scripts};

/// A directory of a sensor that was told so, and the control plane that told it.
async fn revoked(folder: &Path) -> ControlPlane {
    let plane = ControlPlane::start(Scripts::default(), DAY).await;
    plane.enrol(folder, &plane.token()).await.unwrap();
    let keyring = Keyring::open(StateDir::open(folder).unwrap()).unwrap();
    keyring.revoke(Timestamp::UNIX_EPOCH).unwrap();
    plane
}

fn settings(folder: &Path) -> Settings {
    let flags = Flags {
        data_dir: Some(folder.display().to_string()),
        health_listen: Some("127.0.0.1:0".to_owned()),
        ..Flags::default()
    };
    Settings::read(&flags, &Environment::default()).unwrap()
}

/// A start, as the command makes it.
async fn start(folder: &Path, clock: &Arc<ManualClock>) -> (Result<RevokedWait, AgentError>, Tasks) {
    let tasks = Tasks::new(Shutdown::new());
    let clock: Arc<dyn Clock> = Arc::<ManualClock>::clone(clock);
    let settings = settings(folder);
    let parts = AgentParts {
        settings: settings.clone(),
        environment: Environment::default(),
        clock: Arc::clone(&clock),
        rng: Arc::new(SystemRng),
        tasks: tasks.clone(),
    };
    let error = Agent::build(parts).await.err().unwrap();
    (
        RevokedWait::instead_of(error, &settings, clock, tasks.clone()).await,
        tasks,
    )
}

fn run(wait: RevokedWait, tasks: &Tasks) -> mpsc::Receiver<WaitEnd> {
    let (end, ended) = mpsc::channel(1);
    tasks.spawn("wait", async move {
        let _ = end.send(wait.run().await).await;
    });
    ended
}

async fn health(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.lines().next().unwrap().to_owned()
}

#[tokio::test]
async fn t16_a_revoked_sensor_that_is_started_again_and_again_waits_and_contacts_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let plane = revoked(folder.path()).await;
    let calls = plane.calls();
    let clock = Arc::new(ManualClock::at_unix_seconds(1_800_000_000));
    let first = start(folder.path(), &clock).await.0.err().unwrap();
    assert!(
        first.to_string().contains("was revoked"),
        "it ends, with its code"
    );
    clock.advance(Duration::from_secs(300));
    let (second, tasks) = start(folder.path(), &clock).await;
    let wait = second.unwrap();
    let address = wait.health_address().unwrap();
    let mut ended = run(wait, &tasks);
    assert_eq!(health(address, "/livez").await, "HTTP/1.1 200 OK");
    assert_eq!(
        health(address, "/readyz").await,
        "HTTP/1.1 503 Service Unavailable"
    );
    let noted = || std::fs::read_to_string(folder.path().join("revoked.start")).unwrap();
    let mut before = noted();
    tokio::time::pause();
    // A minute behind its hours.
    tokio::time::sleep(Duration::from_secs(60)).await;
    for _ in 0..48 {
        clock.advance(Duration::from_secs(3_600));
        tokio::time::sleep(Duration::from_secs(3_600)).await;
        let after = noted();
        assert_ne!(after, before, "it looks once an hour");
        before = after;
    }
    tokio::time::sleep(Duration::from_secs(3_000)).await;
    assert_eq!(noted(), before, "and no more often");
    tokio::time::resume();
    assert_eq!(plane.calls(), calls, "nobody was asked anything");
    assert!(ended.try_recv().is_err());
    tasks.shutdown().start_drain();
    assert_eq!(ended.recv().await.unwrap(), WaitEnd::Stopped);
    tasks.ended().await;
    let left: Vec<String> = state_files(folder.path()).into_keys().collect();
    assert_eq!(
        left,
        ["enrolment", "incarnation", "lock", "revoked.start", "trust"]
    );

    clock.advance(Duration::from_secs(600));
    let (third, tasks) = start(folder.path(), &clock).await;
    assert!(third.is_ok(), "after a long wait the next start waits at once");
    assert_eq!(noted().trim(), clock.now().to_string());
    tasks.shutdown().start_cut();
    clock.advance(Duration::from_secs(2 * 3_600));
    let later = start(folder.path(), &clock).await.0;
    assert!(later.is_err(), "hours later it may be a person");
}

#[tokio::test]
async fn a_wait_ends_when_another_sensor_was_enrolled_in_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let plane = revoked(folder.path()).await;
    let clock = Arc::new(ManualClock::at_unix_seconds(1_800_000_000));
    assert!(start(folder.path(), &clock).await.0.is_err());
    let (again, tasks) = start(folder.path(), &clock).await;
    let mut ended = run(again.unwrap(), &tasks);
    for name in state_files(folder.path()).into_keys() {
        std::fs::remove_file(folder.path().join(name)).unwrap();
    }
    tokio::time::pause();
    tokio::time::sleep(Duration::from_secs(2 * 3_600)).await;
    assert!(ended.try_recv().is_err(), "an empty directory is nobody's yet");
    assert!(state_files(folder.path()).is_empty(), "and stays empty");
    tokio::time::resume();
    plane.enrol(folder.path(), &plane.token()).await.unwrap();
    tokio::time::pause();
    tokio::time::sleep(Duration::from_secs(3_601)).await;
    assert_eq!(ended.recv().await.unwrap(), WaitEnd::Replaced);
    tokio::time::resume();
    tasks.ended().await;
}

#[tokio::test]
async fn other_faults_of_a_start_are_never_waited_out() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at_unix_seconds(1_800_000_000));
    for _ in 0..3 {
        assert!(start(folder.path(), &clock).await.0.is_err(), "nobody's sensor");
    }
    assert!(!folder.path().join("revoked.start").exists());
}

/// The program itself: its codes are what supervisors look at, or do not.
#[tokio::test]
async fn the_program_ends_with_78_and_started_again_waits_until_it_is_told_to_stop() {
    let folder = tempfile::tempdir().unwrap();
    let _plane = revoked(folder.path()).await;
    let mut command = Command::new(env!("CARGO_BIN_EXE_portolan-agent"));
    command
        .args(["run", "--data-dir"])
        .arg(folder.path())
        .env_clear()
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let first = command.output().unwrap();
    assert_eq!(first.status.code(), Some(78));
    let mut second = command.spawn().unwrap();
    let mut lines = BufReader::new(second.stderr.take().unwrap()).lines();
    let told = lines.find(|line| line.as_ref().unwrap().contains("started again and again"));
    assert!(told.is_some(), "it ended: {:?}", second.wait());
    let id = second.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &id])
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(second.wait().unwrap().code(), Some(78));
}
