//! `portolan completion`

use clap_complete::Shell;

use super::failure::CliError;
use super::{Exit, Terminal, command_line};

/// Flags of `portolan completion`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  portolan completion bash > /etc/bash_completion.d/portolan

Exit codes:
   0  done
   1  something failed on this machine
   2  the command line, or a value in it, is not acceptable")]
pub struct CompletionArgs {
    /// For which shell
    shell: Shell,
}

pub(super) fn print(args: &CompletionArgs, terminal: &mut Terminal) -> Result<Exit, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command_line(), "portolan", &mut script);
    terminal.out.write_all(&script)?;
    terminal.out.flush()?;
    Ok(Exit::Done)
}
