//! The control plane as a child.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;

use anyhow::Context as _;

use super::{Operator, Process, Programs, wait_until};

/// A running control plane. Dropping it kills it.
#[derive(Debug)]
pub struct ControlPlane {
    process: Process,
    metrics: SocketAddr,
    operator: Operator,
}

impl ControlPlane {
    /// Starts one with its state in `folder`, and waits until it is ready.
    pub async fn start(programs: &Programs, folder: &Path) -> anyhow::Result<Self> {
        let data_dir = folder.join("control-plane");
        let (people, sensors, metrics) = (free_address()?, free_address()?, free_address()?);
        let mut process = Process::start(
            "the control plane",
            &programs.portolan,
            &[
                "server",
                "--data-dir",
                &data_dir.to_string_lossy(),
                "--listen-http",
                &people.to_string(),
                "--listen-sensors",
                &sensors.to_string(),
                "--listen-metrics",
                &metrics.to_string(),
            ],
            &folder.join("control-plane.log"),
        )?;
        let url = format!("http://{people}");
        let client = loopback_client()?;
        wait_until("the control plane to be ready", async || {
            process.check()?;
            let answer = client.get(format!("{url}/readyz")).send().await;
            Ok(answer
                .is_ok_and(|answer| answer.status().is_success())
                .then_some(()))
        })
        .await?;
        let file = data_dir.join("admin.token");
        let token = std::fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))?;
        Ok(Self {
            process,
            metrics,
            operator: Operator::new(programs, url, token.trim(), client),
        })
    }

    /// Its process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Its administrator.
    #[must_use]
    pub fn operator(&self) -> &Operator {
        &self.operator
    }

    /// Its metrics, in Prometheus' text format.
    pub async fn metrics(&self) -> anyhow::Result<String> {
        let url = format!("http://{}/metrics", self.metrics);
        let answer = loopback_client()?
            .get(&url)
            .send()
            .await
            .with_context(|| format!("get {url}"))?;
        answer
            .error_for_status()?
            .text()
            .await
            .context("read the metrics")
    }
}

/// A client for loopback that no proxy of the machine's environment gets between.
pub fn loopback_client() -> anyhow::Result<reqwest::Client> {
    // Plain HTTP only, but the library asks for a provider when it is made.
    reqwest::Client::builder()
        .no_proxy()
        .tls_backend_preconfigured(
            rustls::ClientConfig::builder_with_provider(portolan_shared::tls::provider())
                .with_safe_default_protocol_versions()?
                .with_root_certificates(rustls::RootCertStore::empty())
                .with_no_client_auth(),
        )
        .build()
        .context("make an HTTP client")
}

/// An address of loopback whose port nobody listens on now. Somebody else may take it before it is used; then the start fails and
/// says so.
pub fn free_address() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("find a free port")?;
    listener.local_addr().context("find a free port")
}
