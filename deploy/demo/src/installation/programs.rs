//! The two programs that are shipped.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, bail};
use serde_json::Value;
use tokio::process::Command;

/// How they are built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// Quick to build.
    Dev,
    /// As they are shipped.
    Release,
}

impl Profile {
    /// How the calling program was built itself.
    #[must_use]
    pub fn own() -> Self {
        if cfg!(debug_assertions) {
            Self::Dev
        } else {
            Self::Release
        }
    }
}

/// Where the programs are.
#[derive(Debug, Clone)]
pub struct Programs {
    /// The control plane, which is the operators' command line too.
    pub portolan: PathBuf,
    /// The agent.
    pub agent: PathBuf,
}

impl Programs {
    /// Builds them with `cargo` in the workspace that this program came from: for release the agent by itself and static, where that can be done.
    /// Cargo's own progress goes to standard error.
    pub async fn build(cargo: &Path, profile: Profile) -> anyhow::Result<Self> {
        const CONTROL_PLANE: [&str; 4] = ["--package", "portolan", "--bin", "portolan"];
        const AGENT: [&str; 4] = ["--package", "portolan-agent", "--bin", "portolan-agent"];
        let alone = cfg!(all(target_arch = "x86_64", target_env = "gnu"));
        let builds = match profile {
            Profile::Dev => vec![[&["build"][..], &CONTROL_PLANE, &AGENT].concat()],
            Profile::Release if alone => vec![
                [&["build", "--release"][..], &CONTROL_PLANE].concat(),
                vec!["static-agent"],
            ],
            Profile::Release => vec![[&["build", "--release"][..], &CONTROL_PLANE, &AGENT].concat()],
        };
        let mut built = Vec::new();
        for arguments in builds {
            built.extend(artifacts(cargo, &arguments).await?);
        }
        let find = |name: &str| {
            built
                .iter()
                .filter(|message| message["target"]["name"] == name)
                .find_map(|message| message["executable"].as_str().map(PathBuf::from))
                .with_context(|| format!("cargo built no {name}"))
        };
        Ok(Self {
            portolan: find("portolan")?,
            agent: find("portolan-agent")?,
        })
    }
}

/// What cargo says that it has built.
async fn artifacts(cargo: &Path, arguments: &[&str]) -> anyhow::Result<Vec<Value>> {
    let output = Command::new(cargo)
        .args(arguments)
        .arg("--message-format=json-render-diagnostics")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .output()
        .await
        .with_context(|| format!("start {}", cargo.display()))?;
    if !output.status.success() {
        bail!("the programs could not be built, {}", output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["reason"] == "compiler-artifact")
        .collect())
}
