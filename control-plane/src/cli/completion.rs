//! `portolan completion`

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::failure::CliError;
use super::{Cli, Exit, Terminal};

/// Flags of `portolan completion`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  portolan completion bash > /etc/bash_completion.d/portolan")]
pub struct CompletionArgs {
    /// For which shell
    shell: Shell,
}

pub(super) fn print(args: &CompletionArgs, terminal: &mut Terminal) -> Result<Exit, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "portolan", &mut script);
    terminal.out.write_all(&script)?;
    terminal.out.flush()?;
    Ok(Exit::Done)
}
