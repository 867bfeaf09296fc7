//! An agent in a child process.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::process::{Finished, Process, command, run};

/// An agent with a data directory of its own. It can be killed and started again.
pub struct Agent {
    folder: TempDir,
    environment: Vec<(String, String)>,
    log_filter: String,
    process: Option<Process>,
}

impl Agent {
    /// One that is not enrolled yet.
    pub fn new() -> anyhow::Result<Self> {
        Ok(Self {
            folder: TempDir::new()?,
            environment: Vec::new(),
            log_filter: "info".to_owned(),
            process: None,
        })
    }

    /// Another machine with a copy of this one's data directory as it is now.
    pub fn copied(&self) -> anyhow::Result<Self> {
        let copy = Self {
            environment: self.environment.clone(),
            ..Self::new()?
        };
        copy_folder(&self.data_dir(), &copy.data_dir())?;
        Ok(copy)
    }

    /// What it logs, from its next start on: a level, or `target=level` pairs.
    pub fn set_log_filter(&mut self, filter: &str) {
        filter.clone_into(&mut self.log_filter);
    }

    /// Gives it an environment variable, from its next start on.
    pub fn set(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// Its data directory.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A path in its temporary folder, for files that a test needs.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        Path::new(self.folder.path()).join(name)
    }

    /// Runs one of its commands to its end; the data directory is given.
    pub fn cli(&self, arguments: &[&str]) -> anyhow::Result<Finished> {
        let data_dir = self.data_dir();
        let data_dir = [OsStr::new("--data-dir"), data_dir.as_os_str()];
        let environment: Vec<(&str, &str)> = self
            .environment
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        run(
            "portolan-agent",
            arguments.iter().map(OsStr::new).chain(data_dir),
            &environment,
            &[],
        )
    }

    /// Enrols it; its policy allows these hosts, with the credential in its file `login`.
    pub fn enroll(&self, token: &str, allow: &[&str]) -> anyhow::Result<Finished> {
        let mut arguments = vec!["enroll", token];
        for host in allow {
            arguments.extend(["--allow", host]);
        }
        let login = format!("file:{}", self.file("login").display());
        if !allow.is_empty() {
            arguments.extend(["--credential", &login]);
        }
        self.cli(&arguments)
    }

    /// Starts it (again).
    pub fn start(&mut self) -> anyhow::Result<()> {
        self.kill();
        let mut run = command("portolan-agent")?;
        run.arg("run")
            .arg("--data-dir")
            .arg(self.data_dir())
            .args(["--log-filter", &self.log_filter]);
        run.envs(self.environment.iter().map(|(name, value)| (name, value)));
        self.process = Some(Process::start(run, &self.folder.path().join("agent.log"))?);
        Ok(())
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill();
        }
    }

    /// Its process, if it runs.
    pub fn process(&mut self) -> Option<&mut Process> {
        self.process.as_mut()
    }

    /// Everything it has written to its log, over all of its lives.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("agent.log")).unwrap_or_default()
    }
}

/// Copies plain files, with their permissions; sockets stay where they are.
fn copy_folder(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    fs::set_permissions(to, fs::metadata(from)?.permissions())?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        let kind = entry.file_type()?;
        if kind.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else if kind.is_file() {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
