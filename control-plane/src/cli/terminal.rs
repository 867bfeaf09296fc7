//! Where output goes and input comes from.

use std::io::{self, BufRead, IsTerminal as _, Read as _, Write};

use portolan_shared::model::printable;
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

use super::environment::Environment;
use super::failure::CliError;

/// Longest question and longest answer to it, in bytes; both are cut above.
const LINE: usize = 1_024;

/// Standard output, error and input, or what a test puts in their place.
pub struct Terminal {
    /// For results.
    pub out: Box<dyn Write + Send>,
    /// For everything else.
    pub err: Box<dyn Write + Send>,
    /// For a token, and for an answer to a question.
    pub input: Box<dyn BufRead + Send>,
    /// Columns that results are fitted to; none if they do not go to a terminal.
    pub width: Option<usize>,
    /// Whether results go to a terminal that may be shown colours and characters beyond ASCII.
    pub marks: bool,
    /// Whether standard error is a terminal, so that progress may move.
    pub progress: bool,
    /// Whether a person types the input, and must be asked for it.
    pub asks: bool,
}

/// Flag of commands that destroy.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct ConfirmArgs {
    /// Do not ask, on a terminal
    #[arg(short, long)]
    yes: bool,
}

impl ConfirmArgs {
    /// Asks whether to go on, if a person sits there: input and standard error are both terminals. Scripts are not asked.
    pub(super) fn ask(self, terminal: &mut Terminal, question: &str) -> Result<(), CliError> {
        if self.yes || !terminal.has_person() || terminal.agrees(question)? {
            return Ok(());
        }
        Err(CliError::NotConfirmed)
    }
}

impl Terminal {
    /// Whether a person sits there, who can be asked: input and standard error are both terminals.
    pub(super) fn has_person(&self) -> bool {
        self.asks && self.progress
    }

    /// Asks a person; anything but yes is no.
    pub(super) fn agrees(&mut self, question: &str) -> Result<bool, CliError> {
        write!(self.err, "{} [y/N] ", printable(question, LINE))?;
        self.err.flush()?;
        let mut line = String::new();
        (&mut self.input).take(LINE as u64).read_line(&mut line)?;
        Ok(matches!(line.trim(), "y" | "Y" | "yes"))
    }

    /// The process's own; with marks if the environment lets them.
    #[must_use]
    pub fn standard(environment: &Environment) -> Self {
        let out = io::stdout();
        let width = out
            .is_terminal()
            .then(|| rustix::termios::tcgetwinsize(&out).ok())
            .flatten()
            .map(|size| usize::from(size.ws_col))
            .filter(|columns| *columns > 0);
        Self {
            marks: environment.marks && width.is_some(),
            width,
            progress: io::stderr().is_terminal(),
            asks: io::stdin().is_terminal(),
            out: Box::new(out),
            err: Box::new(io::stderr()),
            input: Box::new(io::BufReader::new(io::stdin())),
        }
    }
}

/// While this lives, the terminal does not show what is typed.
pub(super) struct Silence(rustix::termios::Termios);

impl Silence {
    /// `None` if standard input is no terminal.
    pub(super) fn begin() -> Option<Self> {
        let before = tcgetattr(io::stdin()).ok()?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Now, &silent).ok()?;
        Some(Self(before))
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        // A terminal that is gone needs no echo.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}
