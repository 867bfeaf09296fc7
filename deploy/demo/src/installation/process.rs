//! A child that runs until it is told to stop.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

use super::Figures;

/// How long a child may take to stop once asked.
const GRACE: Duration = Duration::from_secs(10);

/// Lines of a child's log that are shown when it ended by itself.
const LINES: usize = 30;

/// A running child. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    name: &'static str,
    child: Child,
    id: u32,
    log: PathBuf,
}

impl Process {
    /// Starts `program`; everything that it prints goes to `log`. It is in a process group of its own, so that an interrupt from the
    /// keyboard reaches its parent alone, which then stops its children in order.
    ///
    /// The kernel's promise to kill a child with its parent is bound to the *thread* that started it: call this from one that lives as
    /// long as the process, such as that of a current-thread runtime in `main`.
    pub(super) fn start(
        name: &'static str,
        program: &Path,
        arguments: &[&str],
        log: &Path,
    ) -> anyhow::Result<Self> {
        let output = File::create(log).with_context(|| format!("create {}", log.display()))?;
        let mut command = dying_with_its_parent(program);
        let child = command
            .args(arguments)
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(output.try_clone().context("share the log")?)
            .stderr(output)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("start {}", program.display()))?;
        let id = child.id().context("get the id of a child")?;
        Ok(Self {
            name,
            child,
            id,
            log: log.to_owned(),
        })
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Where everything that it prints is.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// What it has used so far.
    pub fn figures(&self) -> anyhow::Result<Figures> {
        Figures::of(self.id)
    }

    /// Fails, with the end of its log, if it has ended.
    pub fn check(&mut self) -> anyhow::Result<()> {
        let Some(status) = self.child.try_wait()? else {
            return Ok(());
        };
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let last = lines[lines.len().saturating_sub(LINES)..].join("\n");
        bail!("{} ended by itself, {status}:\n{last}", self.name)
    }

    /// Returns when it ends.
    pub async fn ended(&mut self) -> anyhow::Result<()> {
        self.child.wait().await?;
        self.check()
    }

    /// Asks it to stop, and kills it if it does not.
    pub async fn stop(&mut self) {
        let pid = i32::try_from(self.id).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid
            && self.child.try_wait().ok().flatten().is_none()
            && kill_process(pid, Signal::TERM).is_ok()
            && tokio::time::timeout(GRACE, self.child.wait()).await.is_ok()
        {
            return;
        }
        // It has ended, or ends now; there is nothing to do about a failure.
        let _ = self.child.kill().await;
    }
}

fn dying_with_its_parent(program: &Path) -> Command {
    let setpriv = Path::new("/usr/bin/setpriv");
    if !setpriv.exists() {
        return Command::new(program);
    }
    let mut command = Command::new(setpriv);
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, folder: &Path) -> Process {
        Process::start(
            "a shell",
            Path::new("/bin/sh"),
            &["-c", script],
            &folder.join("log"),
        )
        .unwrap()
    }

    fn exists(id: u32) -> bool {
        Path::new(&format!("/proc/{id}")).exists()
    }

    #[tokio::test]
    async fn a_child_is_asked_to_stop_and_gone_afterwards() {
        let folder = tempfile::tempdir().unwrap();
        let mut child = shell(
            "trap 'echo asked; exit 0' TERM; echo up; while :; do sleep 0.01; done",
            folder.path(),
        );
        while !fs::read_to_string(child.log()).unwrap().contains("up") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        child.check().unwrap();
        child.stop().await;
        assert!(!exists(child.id()));
        assert_eq!(fs::read_to_string(child.log()).unwrap(), "up\nasked\n");
        child.stop().await;
    }

    #[tokio::test]
    async fn a_child_that_ends_by_itself_is_reported_with_the_end_of_its_log() {
        let folder = tempfile::tempdir().unwrap();
        let mut child = shell("seq 1 100; exit 3", folder.path());
        let error = child.ended().await.unwrap_err().to_string();
        assert!(
            error.contains("a shell ended by itself, exit status: 3"),
            "{error}"
        );
        assert!(
            error.ends_with("\n99\n100") && !error.contains("\n70\n"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn a_child_dies_with_the_value_that_holds_it() {
        let folder = tempfile::tempdir().unwrap();
        let child = shell("exec sleep 1000", folder.path());
        let id = child.id();
        assert!(exists(id));
        drop(child);
        // The runtime reaps what was killed; until then the kernel shows it as a zombie.
        while exists(id) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
