//! Child processes that end with the value that holds them.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use anyhow::Context as _;

use crate::binaries::binary;

/// A running child, with its output in a file.
pub struct Process {
    child: Child,
    log: PathBuf,
}

/// What a child that ran to its end left behind.
#[derive(Debug)]
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// What it wrote to standard output.
    pub output: String,
    /// What it wrote to standard error.
    pub errors: String,
    /// Its command line, as every user of the machine could read it while it ran. Empty if it ended sooner than it was looked at, which one
    /// that waits for its standard input does not.
    pub command_line: Vec<u8>,
}

impl Finished {
    /// Its exit code; -1 if a signal ended it.
    #[must_use]
    pub fn code(&self) -> i32 {
        self.status.code().unwrap_or(-1)
    }
}

/// A command of this workspace with a clean environment: nothing of the machine's proxies or credentials reaches a test.
pub(crate) fn command(name: &str) -> anyhow::Result<Command> {
    let mut command = Command::new(binary(name)?);
    command
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("HOME", "/nonexistent")
        .env("RUST_BACKTRACE", "1");
    Ok(command)
}

impl Process {
    /// Starts a command; both of its outputs go to `log`, behind what is there.
    pub(crate) fn start(mut command: Command, log: &Path) -> anyhow::Result<Self> {
        let file = File::options()
            .create(true)
            .append(true)
            .open(log)
            .context("the log of a child")?;
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .with_context(|| format!("starting {}", command.get_program().display()))?;
        Ok(Self {
            child,
            log: log.to_owned(),
        })
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has written so far.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Ends it at once, as `kill -9` does.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Sends it a signal by name, such as `TERM`, `STOP` or `CONT`.
    pub fn signal(&self, name: &str) -> anyhow::Result<()> {
        let status = Command::new("kill")
            .arg(format!("-{name}"))
            .arg(self.id().to_string())
            .status()?;
        anyhow::ensure!(status.success(), "kill -{name} failed");
        Ok(())
    }

    /// A value of `/proc/PID/status` in KiB, such as `VmRSS` or `VmHWM`.
    #[must_use]
    pub fn memory_kib(&self, field: &str) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).ok()?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
        line.split_whitespace().next()?.parse().ok()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The command line of a child that was started just now. The kernel has it a moment after it has said that the program was started.
fn command_line(child: &mut Child) -> anyhow::Result<Vec<u8>> {
    let path = format!("/proc/{}/cmdline", child.id());
    loop {
        let line = fs::read(&path).with_context(|| path.clone())?;
        if !line.is_empty() || child.try_wait()?.is_some() {
            return Ok(line);
        }
        std::thread::yield_now();
    }
}

/// Runs a command of this workspace to its end, with this on its standard input.
pub(crate) fn run<S: AsRef<OsStr>>(
    name: &str,
    arguments: impl IntoIterator<Item = S>,
    environment: &[(&str, &str)],
    input: &[u8],
) -> anyhow::Result<Finished> {
    let mut child = command(name)?
        .args(arguments)
        .envs(environment.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("starting {name}"))?;
    let command_line = command_line(&mut child)?;
    let mut to = child.stdin.take().context("the standard input of a child")?;
    match to.write_all(input) {
        // It has ended without reading it all, and says why.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        written => written.context("writing to a child")?,
    }
    drop(to);
    let output = child.wait_with_output()?;
    Ok(Finished {
        status: output.status,
        output: String::from_utf8_lossy(&output.stdout).into_owned(),
        errors: String::from_utf8_lossy(&output.stderr).into_owned(),
        command_line,
    })
}
