//! Where output goes and input comes from.

use std::io::{self, BufRead, IsTerminal as _, Write};

/// Standard output, error and input, or what a test puts in their place.
pub struct Terminal {
    /// For results.
    pub out: Box<dyn Write + Send>,
    /// For everything else.
    pub err: Box<dyn Write + Send>,
    /// For a token.
    pub input: Box<dyn BufRead + Send>,
    /// Columns that results are fitted to; none if they do not go to a terminal.
    pub width: Option<usize>,
    /// Whether standard error is a terminal, so that progress may move.
    pub progress: bool,
    /// Whether a person types the input, and must be asked for it.
    pub asks: bool,
}

impl Terminal {
    /// The process's own.
    #[must_use]
    pub fn standard() -> Self {
        let out = io::stdout();
        let width = out
            .is_terminal()
            .then(|| rustix::termios::tcgetwinsize(&out).ok())
            .flatten()
            .map(|size| usize::from(size.ws_col))
            .filter(|columns| *columns > 0);
        Self {
            width,
            progress: io::stderr().is_terminal(),
            asks: io::stdin().is_terminal(),
            out: Box::new(out),
            err: Box::new(io::stderr()),
            input: Box::new(io::BufReader::new(io::stdin())),
        }
    }
}
