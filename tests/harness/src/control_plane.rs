//! A control plane in a child process.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use tempfile::TempDir;

use crate::api::{Api, plain_client};
use crate::process::{Finished, Process, command, run};
use crate::wait::GIVE_UP;

/// A control plane with a data directory of its own. It can be killed and started again on the same ports.
pub struct ControlPlane {
    folder: TempDir,
    sensors: SocketAddr,
    people: SocketAddr,
    metrics: SocketAddr,
    sensor_url: String,
    log_filter: String,
    flags: Vec<String>,
    process: Option<Process>,
}

/// A port of the loopback address that nobody listens on now. Taken from below the range that the system gives to clients, so that it is
/// still free when whoever listens on it is started again.
pub fn free_port() -> anyhow::Result<SocketAddr> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Far from those of tests that were started just before or after this one.
    let spread = u16::try_from(u64::from(std::process::id()) * 499 % 11_000).unwrap_or(0);
    for _ in 0..1_000 {
        let port = 20_000 + (spread + NEXT.fetch_add(1, Ordering::Relaxed)) % 12_000;
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", port)) {
            return Ok(listener.local_addr()?);
        }
    }
    anyhow::bail!("no port is free from 20000 to 31999")
}

impl ControlPlane {
    /// Starts one that tells sensors to come straight to it.
    pub async fn start() -> anyhow::Result<Self> {
        Self::start_behind(None).await
    }

    /// Starts one that tells sensors to come to `door`, which leads to it sooner or later; [`ControlPlane::sensors`] is where it listens.
    pub async fn start_behind(door: Option<SocketAddr>) -> anyhow::Result<Self> {
        let sensors = free_port()?;
        let mut control_plane = Self {
            folder: TempDir::new()?,
            sensors,
            people: free_port()?,
            metrics: free_port()?,
            sensor_url: format!("https://{}", door.unwrap_or(sensors)),
            log_filter: "info".to_owned(),
            flags: Vec::new(),
            process: None,
        };
        control_plane.restart().await?;
        Ok(control_plane)
    }

    /// What it logs, from its next start on: a level, or `target=level` pairs.
    pub fn set_log_filter(&mut self, filter: &str) {
        filter.clone_into(&mut self.log_filter);
    }

    /// Gives it further flags, from its next start on.
    pub fn set_flags(&mut self, flags: &[&str]) {
        self.flags = flags.iter().map(|&flag| flag.to_owned()).collect();
    }

    /// Starts it (again) and waits until it is ready.
    pub async fn restart(&mut self) -> anyhow::Result<()> {
        self.kill();
        let mut server = command("portolan")?;
        server.arg("server").arg("--data-dir").arg(self.data_dir());
        server.args([
            "--listen-sensors",
            &self.sensors.to_string(),
            "--listen-http",
            &self.people.to_string(),
        ]);
        server.args([
            "--listen-metrics",
            &self.metrics.to_string(),
            "--sensor-url",
            &self.sensor_url,
        ]);
        server.args(["--log-filter", &self.log_filter]);
        server.args(&self.flags);
        let process = self.process.insert(Process::start(
            server,
            &self.folder.path().join("control-plane.log"),
        )?);
        let client = plain_client()?;
        let ready = format!("http://{}/readyz", self.people);
        let deadline = tokio::time::Instant::now() + GIVE_UP;
        loop {
            if let Some(status) = process.ended() {
                anyhow::bail!("the control plane ended with {status}:\n{}", process.log());
            }
            if client
                .get(&ready)
                .send()
                .await
                .is_ok_and(|answer| answer.status().is_success())
            {
                return Ok(());
            }
            anyhow::ensure!(
                tokio::time::Instant::now() < deadline,
                "the control plane is not ready:\n{}",
                process.log()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill();
        }
    }

    /// Its process.
    pub fn process(&self) -> anyhow::Result<&Process> {
        self.process.as_ref().context("the control plane was killed")
    }

    /// Where it listens for sensors.
    #[must_use]
    pub fn sensors(&self) -> SocketAddr {
        self.sensors
    }

    /// Where it listens for people, and for registries that notify it.
    #[must_use]
    pub fn people(&self) -> SocketAddr {
        self.people
    }

    /// Where its metrics are.
    #[must_use]
    pub fn metrics(&self) -> SocketAddr {
        self.metrics
    }

    /// Its data directory.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Everything it has written to its log, over all of its lives.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("control-plane.log")).unwrap_or_default()
    }

    /// The token of its administrator.
    pub fn admin_token(&self) -> anyhow::Result<String> {
        let path = self.data_dir().join("admin.token");
        Ok(fs::read_to_string(&path)
            .with_context(|| path.display().to_string())?
            .trim()
            .to_owned())
    }

    /// Its API, as its administrator.
    pub fn api(&self) -> anyhow::Result<Api> {
        self.api_as(&self.admin_token()?)
    }

    /// Its API, as whoever holds this token.
    pub fn api_as(&self, token: &str) -> anyhow::Result<Api> {
        Api::new(&format!("http://{}", self.people), token)
    }

    /// Runs an operators' command against it, as its administrator.
    pub fn cli(&self, arguments: &[&str]) -> anyhow::Result<Finished> {
        self.cli_given("", arguments)
    }

    /// Starts an operators' command that goes on until it is stopped, as its administrator. What it writes is in its log.
    pub fn start_cli(&self, name: &str, arguments: &[&str]) -> anyhow::Result<Process> {
        let mut follow = command("portolan")?;
        follow
            .args(arguments)
            .env("PORTOLAN_URL", format!("http://{}", self.people))
            .env("PORTOLAN_TOKEN", self.admin_token()?)
            .env("HOME", self.operators_home());
        Process::start(follow, &self.file(name))
    }

    /// Like [`ControlPlane::cli`], with this on its standard input: what is secret, which no command line may have. What a command
    /// remembers of sensors lies in [`ControlPlane::operators_home`].
    pub fn cli_given(&self, input: &str, arguments: &[&str]) -> anyhow::Result<Finished> {
        let (url, token) = (format!("http://{}", self.people), self.admin_token()?);
        let home = self.operators_home().display().to_string();
        run(
            "portolan",
            arguments,
            &[
                ("PORTOLAN_URL", &url),
                ("PORTOLAN_TOKEN", &token),
                ("HOME", &home),
            ],
            input.as_bytes(),
        )
    }

    /// The home of whoever runs operators' commands.
    #[must_use]
    pub fn operators_home(&self) -> PathBuf {
        self.file("home")
    }

    /// Invites a sensor; gives its enrolment token.
    pub fn invite(&self, name: &str) -> anyhow::Result<String> {
        let finished = self.cli(&["sensor", "invite", name, "-o", "json"])?;
        anyhow::ensure!(
            finished.status.success(),
            "sensor invite failed: {}",
            finished.errors
        );
        let answer: serde_json::Value = serde_json::from_str(&finished.output)?;
        Ok(answer["token"]
            .as_str()
            .context("the token of the invitation")?
            .to_owned())
    }

    /// A path in its temporary folder, for files that a test needs.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        Path::new(self.folder.path()).join(name)
    }
}
