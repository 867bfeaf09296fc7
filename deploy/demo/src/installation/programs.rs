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
    /// Where it fails to, for want of the static C library, that is said on standard error, as is Cargo's own progress.
    pub async fn build(cargo: &Path, profile: Profile) -> anyhow::Result<Self> {
        const CONTROL_PLANE: [&str; 4] = ["--package", "portolan", "--bin", "portolan"];
        const AGENT: [&str; 4] = ["--package", "portolan-agent", "--bin", "portolan-agent"];
        let alone = cfg!(all(target_arch = "x86_64", target_env = "gnu"));
        let built = match profile {
            Profile::Dev => artifacts(cargo, &[&["build"][..], &CONTROL_PLANE, &AGENT].concat()).await?,
            Profile::Release => {
                let build = ["build", "--release"];
                let mut built = artifacts(cargo, &[&build[..], &CONTROL_PLANE].concat()).await?;
                built.extend(match alone {
                    true => agent_by_itself(cargo, &[&build[..], &AGENT].concat()).await?,
                    false => artifacts(cargo, &[&build[..], &AGENT].concat()).await?,
                });
                built
            }
        };
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

/// Builds the agent static, or if that fails in the ordinary way.
async fn agent_by_itself(cargo: &Path, ordinary: &[&str]) -> anyhow::Result<Vec<Value>> {
    match artifacts_of(static_agent(cargo)).await {
        Ok(built) => Ok(built),
        Err(error) => {
            say(&format!(
                "the agent could not be built static: {error}; it is linked dynamically instead"
            ));
            artifacts(cargo, ordinary).await
        }
    }
}

fn static_agent(cargo: &Path) -> Command {
    let mut command = Command::new(cargo);
    // Cargo takes these instead of the flags that make it static, without a word.
    command
        .arg("static-agent")
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS");
    command
}

#[expect(clippy::print_stderr, reason = "among what cargo says there")]
fn say(what: &str) {
    eprintln!("{what}");
}

async fn artifacts(cargo: &Path, arguments: &[&str]) -> anyhow::Result<Vec<Value>> {
    let mut command = Command::new(cargo);
    command.args(arguments);
    artifacts_of(command).await
}

/// What cargo says that it has built.
async fn artifacts_of(mut cargo: Command) -> anyhow::Result<Vec<Value>> {
    let output = cargo
        .arg("--message-format=json-render-diagnostics")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .output()
        .await
        .context("start cargo")?;
    if !output.status.success() {
        bail!("the programs could not be built, {}", output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["reason"] == "compiler-artifact")
        .collect())
}

#[cfg(test)]
#[cfg(all(target_arch = "x86_64", target_env = "gnu"))]
mod tests {
    use super::*;

    /// A cargo that builds nothing, and tells what it was asked for. `then` is what it does if it is to build the agent static.
    async fn built_with(then: &str) -> Programs {
        let folder = tempfile::tempdir().unwrap();
        let cargo = folder.path().join("cargo");
        let script = format!(
            r#"#!/bin/sh
made() {{ echo "{{\"reason\":\"compiler-artifact\",\"target\":{{\"name\":\"$1\"}},\"executable\":\"$2\"}}"; }}
case "$*" in
    static-agent*) {then} ;;
    *"--bin portolan-agent "*) made portolan-agent /ordinary ;;
    *) made portolan /portolan ;;
esac
"#
        );
        // Written by a child: while this process has it open for writing, another thread's child could keep it so, and nobody could start it.
        let written = Command::new("sh")
            .args(["-c", r#"printf %s "$1" > "$0" && chmod +x "$0""#])
            .arg(&cargo)
            .arg(script)
            .status();
        assert!(written.await.unwrap().success());
        Programs::build(&cargo, Profile::Release).await.unwrap()
    }

    #[tokio::test]
    async fn for_release_the_agent_is_static_and_no_flags_from_outside_change_that() {
        let programs = built_with("made portolan-agent /static").await;
        assert_eq!(programs.agent, Path::new("/static"));
        assert_eq!(programs.portolan, Path::new("/portolan"));
        let command = static_agent(Path::new("cargo"));
        for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS"] {
            let taken_away = command
                .as_std()
                .get_envs()
                .any(|one| one == (name.as_ref(), None));
            assert!(taken_away, "{name}");
        }
    }

    #[tokio::test]
    async fn an_agent_that_cannot_be_static_is_built_in_the_ordinary_way() {
        let programs = built_with("exit 101").await;
        assert_eq!(programs.agent, Path::new("/ordinary"));
    }
}
