//! The command.

use std::io::Write as _;
use std::time::Duration;

use super::page::page;
use crate::cli::Exit;
use crate::cli::failure::CliError;
use crate::cli::operate::Desk;
use crate::cli::output::{Format, ShowArgs, print_text};
use crate::web::api::status::StatusView;

/// Between two looks.
const LOOK: Duration = Duration::from_secs(5);
/// Clears a terminal, and begins at its top.
const CLEAR: &str = "\x1b[2J\x1b[H";

/// Flags of `portolan status`.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
Things come in this order: what is not seen at all any more, what is not seen whole, what soon may not be seen, advice. Advice alone leaves everything well.

Examples:
  portolan status
  portolan status -o json || page-somebody
  portolan status --watch")]
pub struct StatusArgs {
    /// Look again every five seconds, until it is interrupted; while the control plane cannot be reached, too
    #[arg(long)]
    watch: bool,

    #[command(flatten)]
    show: ShowArgs,
}

pub(in crate::cli) async fn show(mut desk: Desk<'_>, args: &StatusArgs) -> Result<Exit, CliError> {
    if !args.watch {
        return look(&mut desk, args).await;
    }
    if args.show.output != Format::Table {
        return Err(CliError::usage("--watch is for people: leave --output out"));
    }
    let mut exit = Exit::Done;
    loop {
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => {
                interrupted?;
                return Ok(exit);
            }
            looked = look(&mut desk, args) => exit = match looked {
                // It may be back at the next look.
                Err(error) if error.exit() == Exit::Unavailable => {
                    let told = format!("{}\n  looking again every {} seconds", error.tell(), LOOK.as_secs());
                    writeln!(desk.terminal.err, "{told}")?;
                    error.exit()
                }
                other => other?,
            },
        }
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => {
                interrupted?;
                return Ok(exit);
            }
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

async fn look(desk: &mut Desk<'_>, args: &StatusArgs) -> Result<Exit, CliError> {
    let value = desk.client.get(&["status"], &[]).await?;
    let status: StatusView = desk.client.view(&value)?;
    if args.watch && desk.terminal.width.is_some() {
        write!(desk.terminal.out, "{CLEAR}")?;
    }
    print_text(desk.terminal, args.show.output, &value, || page(&status))?;
    Ok(if status.well { Exit::Done } else { Exit::Attention })
}
