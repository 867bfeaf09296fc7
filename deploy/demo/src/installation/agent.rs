//! The agent as a child.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use portolan_shared::process::{create_private_dir, write_atomically};
use tokio::process::Command;

use super::{Operator, Process, Programs, wait_until};

/// A registry that the agent's local policy is to allow, and where reading it may lead.
#[derive(Debug, Clone, Default)]
pub struct Allowed {
    /// `HOST:PORT` of the registry, with its path if it has one; with `http://` in front if it is not spoken to over TLS.
    pub registry: String,
    /// Token services on other hosts.
    pub realms: Vec<String>,
    /// Other hosts that it redirects downloads to.
    pub storage: Vec<String>,
    /// The credential that the control plane may name, if it is not at a place that is allowed anyway.
    pub credential: Option<String>,
}

impl Allowed {
    /// As a policy file. Not needed for a registry that leads nowhere else: `--allow` writes that one.
    fn policy(&self) -> anyhow::Result<String> {
        let (plaintext, place) = match self.registry.strip_prefix("http://") {
            Some(place) => (true, place),
            None => (false, self.registry.as_str()),
        };
        let (authority, path) = place.split_at(place.find('/').unwrap_or(place.len()));
        let path = if path.is_empty() { "/" } else { path };
        let (host, port) = authority
            .rsplit_once(':')
            .context("find the port of the registry")?;
        let credentials = self
            .credential
            .iter()
            .map(|reference| format!("credentials = [{reference:?}]\n"))
            .collect::<String>();
        Ok(format!(
            "version = 1\n\n[[allow]]\nhost = {host:?}\nports = [{port}]\npaths = [{path:?}]\naddresses = [\"public\", \"private\"]\n\
             realms = {:?}\nstorage = {:?}\nplaintext = {plaintext}\n{credentials}",
            self.realms, self.storage
        ))
    }
}

/// A running agent. Dropping it kills it.
#[derive(Debug)]
pub struct Agent {
    process: Process,
    data_dir: PathBuf,
}

impl Agent {
    /// Enrols one called `name` with a token that `operator` asks for, its state in `folder`, allowed to read one registry; starts it
    /// and waits until the control plane sees it connected.
    pub async fn start(
        programs: &Programs,
        operator: &Operator,
        name: &str,
        allowed: &Allowed,
        folder: &Path,
    ) -> anyhow::Result<Self> {
        let invitation = operator.json(&["sensor", "invite", name]).await?;
        let token = invitation["token"]
            .as_str()
            .context("find the token in the invitation")?;
        let data_dir = folder.join("agent");
        let data = data_dir.to_string_lossy();
        let mut enrol = Command::new(&programs.agent);
        enrol.args(["enroll", token, "--data-dir", &data]);
        if allowed.realms.is_empty() && allowed.storage.is_empty() {
            enrol.args(["--allow", &allowed.registry]);
            if let Some(reference) = &allowed.credential {
                enrol.args(["--credential", reference]);
            }
        } else {
            create_private_dir(&data_dir)?;
            write_atomically(&data_dir.join("policy.toml"), allowed.policy()?.as_bytes())?;
        }
        // The way to the control plane is loopback, whatever proxies the environment names.
        let output = enrol
            .args(["--proxy", "none"])
            .kill_on_drop(true)
            .output()
            .await
            .context("start portolan-agent")?;
        if !output.status.success() {
            let message = String::from_utf8_lossy(&output.stderr);
            bail!(
                "the agent could not be enrolled, {}: {}",
                output.status,
                message.trim()
            );
        }
        let process = Process::start(
            "the agent",
            &programs.agent,
            &["run", "--data-dir", &data, "--proxy", "none"],
            &folder.join("agent.log"),
        )?;
        let mut agent = Self { process, data_dir };
        agent.connected(operator, name).await?;
        Ok(agent)
    }

    /// Stops it and starts it again with these settings; waits until the control plane sees it connected.
    pub async fn restart(
        &mut self,
        programs: &Programs,
        operator: &Operator,
        name: &str,
        settings: &Path,
    ) -> anyhow::Result<()> {
        self.process.stop().await;
        let (data, settings) = (self.data_dir.to_string_lossy(), settings.to_string_lossy());
        self.process = Process::start(
            "the agent",
            &programs.agent,
            &[
                "run",
                "--data-dir",
                &data,
                "--config",
                &settings,
                "--proxy",
                "none",
            ],
            &self.data_dir.with_file_name("agent-restarted.log"),
        )?;
        self.connected(operator, name).await
    }

    async fn connected(&mut self, operator: &Operator, name: &str) -> anyhow::Result<()> {
        wait_until("the agent to be connected", async || {
            self.process.check()?;
            let sensor = operator.get(&format!("/sensors/{name}"), &[]).await?;
            Ok((sensor["state"] == "active" && sensor["online"] == true).then_some(()))
        })
        .await
    }

    /// Its process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Where its state is.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_says_where_reading_may_lead() {
        let allowed = Allowed {
            registry: "http://[::1]:5050".to_owned(),
            realms: vec!["gitlab.example.com".to_owned()],
            storage: Vec::new(),
            credential: Some("file:/tmp/login".to_owned()),
        };
        let policy = allowed.policy().unwrap();
        for line in [
            "host = \"[::1]\"",
            "ports = [5050]",
            "realms = [\"gitlab.example.com\"]",
            "storage = []",
            "plaintext = true",
            "credentials = [\"file:/tmp/login\"]",
        ] {
            assert!(policy.lines().any(|there| there == line), "{policy}");
        }
    }
}
