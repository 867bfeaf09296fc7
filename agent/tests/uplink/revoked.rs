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
use portolan_agent::wiring::{Agent, AgentError, AgentParts, RevokedWait, Starter, WaitEnd, status};
use portolan_shared::process::{Clock, ManualClock, Shutdown, SystemRng, Tasks};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
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

fn settings(folder: &Path, health: &str) -> Settings {
    let flags = Flags {
        data_dir: Some(folder.display().to_string()),
        health_listen: Some(health.to_owned()),
        ..Flags::default()
    };
    Settings::read(&flags, &Environment::default()).unwrap()
}

/// A start, as the command makes it where a container's runtime starts it.
async fn start(folder: &Path, clock: &Arc<ManualClock>) -> (Result<RevokedWait, AgentError>, Tasks) {
    start_by(Starter::Program, settings(folder, "127.0.0.1:0"), clock).await
}

async fn start_by(
    starter: Starter,
    settings: Settings,
    clock: &Arc<ManualClock>,
) -> (Result<RevokedWait, AgentError>, Tasks) {
    let tasks = Tasks::new(Shutdown::new());
    let clock: Arc<dyn Clock> = Arc::<ManualClock>::clone(clock);
    let parts = AgentParts {
        settings: settings.clone(),
        environment: Environment::default(),
        clock: Arc::clone(&clock),
        rng: Arc::new(SystemRng),
        tasks: tasks.clone(),
    };
    let error = Agent::build(parts).await.err().unwrap();
    (
        RevokedWait::instead_of(error, &settings, starter, clock, tasks.clone()).await,
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
    let report = status(folder.path(), &folder.path().join("policy.toml"), clock.now())
        .await
        .unwrap();
    assert!(
        report.running && report.alive && !report.ready,
        "the command says what the health port does: {report}"
    );
    assert_eq!(report.sensor.as_ref().unwrap().state, "revoked");
    assert!(
        report
            .warnings
            .iter()
            .any(|told| told.contains("Stop what starts it")),
        "{report}"
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
    tokio::time::sleep(Duration::from_secs(61)).await;
    assert_eq!(ended.try_recv(), Ok(WaitEnd::Replaced), "it looks every minute");
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

#[tokio::test]
async fn who_knows_the_code_is_never_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let _plane = revoked(folder.path()).await;
    let clock = Arc::new(ManualClock::at_unix_seconds(1_800_000_000));
    for starter in [Starter::Systemd, Starter::Person, Starter::Systemd] {
        let (started, _) = start_by(starter, settings(folder.path(), "127.0.0.1:0"), &clock).await;
        let error = started.err().unwrap();
        assert!(error.to_string().contains("was revoked"), "{starter:?}: {error}");
    }
    let by_program = start(folder.path(), &clock).await.0;
    assert!(by_program.is_ok(), "theirs were starts all the same");
}

#[tokio::test]
async fn a_health_port_that_is_taken_is_waited_without() {
    let folder = tempfile::tempdir().unwrap();
    let _plane = revoked(folder.path()).await;
    let clock = Arc::new(ManualClock::at_unix_seconds(1_800_000_000));
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let settings = settings(folder.path(), &address);
    let first = start_by(Starter::Program, settings.clone(), &clock).await.0;
    assert!(first.is_err());
    let (again, tasks) = start_by(Starter::Program, settings, &clock).await;
    let wait = again.unwrap();
    assert_eq!(wait.health_address(), None);
    let mut ended = run(wait, &tasks);
    let policy = folder.path().join("policy.toml");
    // Until its task has begun nobody answers, and what lies there is told.
    let report = loop {
        let report = status(folder.path(), &policy, clock.now()).await.unwrap();
        if report.running {
            break report;
        }
        tokio::task::yield_now().await;
    };
    let told = format!("cannot listen on {address}");
    assert!(
        report.warnings.iter().any(|line| line.contains(&told)),
        "{report}"
    );
    tasks.shutdown().start_drain();
    assert_eq!(ended.recv().await.unwrap(), WaitEnd::Stopped);
    tasks.ended().await;
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
    command.env("INVOCATION_ID", "0123456789abcdef0123456789abcdef");
    let of_systemd = command.output().unwrap();
    assert_eq!(
        of_systemd.status.code(),
        Some(78),
        "a unit knows the code: it is not green"
    );
    command.env_remove("INVOCATION_ID");
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
    assert_eq!(second.wait().unwrap().code(), Some(0), "it was told to");
}
