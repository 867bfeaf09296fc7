//! Runs one check at a time.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::check::Check;

/// How often a terminal is told how long a check has been running.
const TICK: Duration = Duration::from_millis(250);

/// What came of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It succeeded.
    Passed,
    /// It failed.
    Failed,
    /// It could not be run on this machine, and why.
    Skipped(String),
}

/// A check that was run.
#[derive(Debug)]
pub(crate) struct Finished<'a> {
    /// Which.
    pub(crate) check: &'a Check,
    /// What came of it.
    pub(crate) outcome: Outcome,
    /// How long it took.
    pub(crate) took: Duration,
    /// Where all that it printed is.
    pub(crate) log: PathBuf,
}

/// Runs checks and keeps what they print.
#[derive(Debug)]
pub(crate) struct Runner {
    root: PathBuf,
    cargo: PathBuf,
    path: OsString,
    logs: PathBuf,
    skipped: BTreeMap<&'static str, String>,
    terminal: bool,
}

impl Runner {
    /// Prepares to run checks in the workspace at `root`.
    #[expect(clippy::disallowed_methods, reason = "the search path is read once, here")]
    pub(crate) fn new(root: &Path, cargo: &Path) -> anyhow::Result<Self> {
        let logs = root.join("target/verify");
        fs::create_dir_all(&logs).with_context(|| format!("create {}", logs.display()))?;
        Ok(Self {
            root: root.to_owned(),
            cargo: cargo.to_owned(),
            path: std::env::var_os("PATH").unwrap_or_default(),
            logs,
            skipped: BTreeMap::new(),
            terminal: std::io::stdout().is_terminal(),
        })
    }

    /// The root of the workspace.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The cargo in use.
    pub(crate) fn cargo(&self) -> &Path {
        &self.cargo
    }

    /// Looks for programs in `folder` before anywhere else.
    pub(crate) fn prefer_programs_in(&mut self, folder: &Path) {
        let mut path = OsString::from(folder);
        path.push(":");
        path.push(&self.path);
        self.path = path;
    }

    /// Makes the check called `name` one that is not run, and says why.
    pub(crate) fn skip(&mut self, name: &'static str, reason: String) {
        self.skipped.insert(name, reason);
    }

    /// A cargo command in this workspace.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.prepared(Command::new(&self.cargo), arguments)
    }

    /// The same, started by another program: `program`, its `options`, cargo, its `arguments`.
    pub(crate) fn command_under(&self, program: &str, options: &[&str], arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(options).arg(&self.cargo);
        self.prepared(command, arguments)
    }

    fn prepared(&self, mut command: Command, arguments: &[&str]) -> Command {
        command
            .args(arguments)
            .env("PATH", &self.path)
            .env("CARGO_TERM_COLOR", "never")
            .env("CARGO_TERM_PROGRESS_WHEN", "never")
            // rustfmt colours what goes into a file, too, unless the terminal cannot.
            .env("TERM", "dumb")
            .current_dir(&self.root)
            .stdin(Stdio::null());
        command
    }

    /// Runs `check` to its end.
    #[expect(
        clippy::disallowed_methods,
        reason = "measures how long a command takes; nothing depends on it"
    )]
    pub(crate) fn run<'a>(&self, check: &'a Check) -> anyhow::Result<Finished<'a>> {
        let log = self.logs.join(format!("{}.log", check.name));
        self.headline(check, "");
        let started = Instant::now();
        let outcome = if let Some(reason) = self.skipped.get(check.name) {
            Outcome::Skipped(reason.clone())
        } else {
            let output = File::create(&log).with_context(|| format!("create {}", log.display()))?;
            let mut child = self
                .command(check.arguments)
                .envs(check.environment.iter().copied())
                .stdout(output.try_clone().context("share the log")?)
                .stderr(output)
                .spawn()
                .with_context(|| format!("start {}", self.cargo.display()))?;
            let status = if self.terminal {
                loop {
                    if let Some(status) = child.try_wait()? {
                        break status;
                    }
                    self.headline(check, &format!("{} s", started.elapsed().as_secs()));
                    std::thread::sleep(TICK);
                }
            } else {
                child.wait()?
            };
            if status.success() {
                Outcome::Passed
            } else {
                Outcome::Failed
            }
        };
        let took = started.elapsed();
        let word = match &outcome {
            Outcome::Passed => "ok".to_owned(),
            Outcome::Failed => "FAILED".to_owned(),
            Outcome::Skipped(reason) => format!("skipped: {reason}"),
        };
        self.headline(check, &format!("{word} ({:.1} s)\n", took.as_secs_f64()));
        Ok(Finished {
            check,
            outcome,
            took,
            log,
        })
    }

    /// Shows one line for a check. A terminal sees the line grow older; elsewhere its two halves are written once each.
    fn headline(&self, check: &Check, end: &str) {
        let beginning = format!("{:<12} {} ... ", check.name, check.command_line());
        if self.terminal {
            print!("\r\u{1b}[2K{beginning}{end}");
        } else if end.is_empty() {
            print!("{beginning}");
        } else {
            print!("{end}");
        }
        // A closed standard output is noticed by the next check's command.
        let _ = std::io::stdout().flush();
    }
}
