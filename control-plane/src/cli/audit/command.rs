//! What can be said.

use std::path::PathBuf;

use super::{export, list, verify};
use crate::cli::Exit;
use crate::cli::failure::CliError;
use crate::cli::operate::Desk;
use crate::cli::output::ListArgs;
use crate::cli::terminal::Terminal;

/// What can be done with the audit log.
#[derive(Debug, clap::Subcommand)]
pub enum AuditCommand {
    /// List what was done, newest first
    #[command(after_help = "Example:\n  portolan audit list --limit 20")]
    List(ListArgs),
    /// Recompute the whole log on this machine, and name the first record that is not what it was
    #[command(
        after_help = "Examples:\n  portolan audit verify --save head.json          # keep it where the control plane cannot reach it\n  \
                      portolan audit verify --checkpoint head.json\n  portolan audit verify --file audit.jsonl          # an export, without a control plane"
    )]
    Verify(VerifyArgs),
    /// Write the whole log with its hashes, one JSON object a line
    #[command(after_help = "Example:\n  portolan audit export audit.jsonl")]
    Export(ExportArgs),
}

/// Flags of `verify`.
#[derive(Debug, clap::Args)]
pub struct VerifyArgs {
    /// An export to verify in place of the control plane's log
    #[arg(long, value_name = "EXPORT")]
    pub(super) file: Option<PathBuf>,
    /// What was saved earlier, or the `checkpoints.jsonl` of a sensor: the log must still pass through it; may be repeated
    #[arg(long, value_name = "FILE")]
    pub(super) checkpoint: Vec<PathBuf>,
    /// Save where the log stands, to be compared with later
    #[arg(long, value_name = "FILE")]
    pub(super) save: Option<PathBuf>,
}

/// Flags of `export`.
#[derive(Debug, clap::Args)]
pub struct ExportArgs {
    /// Where to [default: standard output]
    pub(super) file: Option<PathBuf>,
}

pub(in crate::cli) async fn run<'t>(
    terminal: &'t mut Terminal,
    desk: impl FnOnce(&'t mut Terminal) -> Result<Desk<'t>, CliError>,
    command: AuditCommand,
) -> Result<Exit, CliError> {
    match command {
        AuditCommand::List(args) => list::list(desk(terminal)?, args).await,
        AuditCommand::Verify(args) => match &args.file {
            Some(file) => verify::export(terminal, file, &args),
            None => verify::control_plane(desk(terminal)?, &args).await,
        },
        AuditCommand::Export(args) => export::export(desk(terminal)?, args).await,
    }
}
