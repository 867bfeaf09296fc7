//! Progress: a bar on a terminal, a line now and then elsewhere.

use std::io::Write as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use portolan_shared::model::printable;
use portolan_shared::process::Uptime;

use crate::cli::Terminal;
use crate::cli::failure::CliError;
use crate::web::api::runs::Run;

/// At most one line in this time, unless the state changes.
const LINES: Duration = Duration::from_secs(5);
/// Longest text of what a run waits for, in bytes; it is cut above.
const LINE: usize = 4_096;
/// The bar turns this often.
const TICK: Duration = Duration::from_millis(120);

pub(super) struct Progress {
    bar: Option<ProgressBar>,
    shown: Option<(String, Uptime)>,
}

impl Progress {
    pub(super) fn new(terminal: &Terminal) -> Self {
        let bar = terminal.progress.then(|| {
            let bar = ProgressBar::no_length().with_style(spinner());
            bar.enable_steady_tick(TICK);
            bar
        });
        Self { bar, shown: None }
    }

    pub(super) fn show(&mut self, run: &Run, now: Uptime, terminal: &mut Terminal) -> Result<(), CliError> {
        if let Some(bar) = &self.bar {
            move_bar(bar, run);
            return Ok(());
        }
        let due = match &self.shown {
            Some((state, at)) => *state != run.state || now.since(*at) >= LINES,
            None => true,
        };
        if due {
            writeln!(terminal.err, "{}", line(run))?;
            self.shown = Some((run.state.clone(), now));
        }
        Ok(())
    }

    /// Says what a queued run waits for, whenever that changes.
    pub(super) fn wait(&mut self, awaited: &str, terminal: &mut Terminal) -> Result<(), CliError> {
        let awaited = printable(awaited, LINE);
        if let Some(bar) = &self.bar {
            bar.set_message(awaited);
        } else {
            writeln!(terminal.err, "{awaited}")?;
        }
        Ok(())
    }

    /// Takes the bar away, so that other output stands alone.
    pub(super) fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn move_bar(bar: &ProgressBar, run: &Run) {
    let progress = &run.progress;
    if progress.repositories_total > 0 {
        bar.set_style(style());
        bar.set_length(progress.repositories_total);
        bar.set_position(progress.repositories_done);
    }
    bar.set_prefix(run.registry.name.clone());
    let more = if progress.discovered { "" } else { "+" };
    bar.set_message(match run.state.as_str() {
        "queued" if run.attempt > 0 => format!("waits for a sensor again, after {} attempts", run.attempt),
        "queued" => "waits for a sensor".to_owned(),
        _ => format!(
            "{}{more} repositories, {} tags, {} manifests, {} requests",
            progress.repositories_total, progress.tags, progress.manifests, progress.requests
        ),
    });
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{spinner} {prefix} [{bar:30}] {pos}/{len} {elapsed_precise} {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
}

fn spinner() -> ProgressStyle {
    ProgressStyle::with_template("{spinner} {prefix} {elapsed_precise} {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
}

fn line(run: &Run) -> String {
    let progress = &run.progress;
    let more = if progress.discovered || run.ended { "" } else { "+" };
    format!(
        "{}: {}: {} of {}{more} repositories, {} tags, {} manifests, {} requests",
        run.registry.name,
        run.state,
        progress.repositories_done,
        progress.repositories_total,
        progress.tags,
        progress.manifests,
        progress.requests
    )
}
