//! The `portolan` program: the control plane and its operators' commands.

use std::io::Write as _;
use std::process::ExitCode;

use clap::FromArgMatches as _;
use portolan::cli::{Cli, Command, Environment, Exit, Terminal, command_line, operate};
use portolan::settings::SettingsError;
use portolan::{upkeep, wiring};
use portolan_shared::process::SystemClock;

fn main() -> ExitCode {
    let command = match Cli::from_arg_matches(&command_line().get_matches()) {
        Ok(cli) => cli.command,
        Err(error) => error.exit(),
    };
    let mut runtime = match &command {
        Command::Server(_) => tokio::runtime::Builder::new_multi_thread(),
        Command::Backup(_) | Command::Restore(_) | Command::Operator(_) => {
            tokio::runtime::Builder::new_current_thread()
        }
    };
    let runtime = match runtime.enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return told(&anyhow::Error::new(error).context("the runtime did not start")),
    };
    match command {
        Command::Server(args) => ended(runtime.block_on(wiring::run(args))),
        Command::Backup(args) => ended(runtime.block_on(async {
            let backup = upkeep::back_up(&args, &SystemClock).await?;
            told_to(backup.tell(&args, &mut std::io::stdout()))
        })),
        Command::Restore(args) => ended(runtime.block_on(async {
            let restored = upkeep::restore(&args, &SystemClock).await?;
            told_to(restored.tell(&mut std::io::stdout()))
        })),
        Command::Operator(command) => {
            let environment = Environment::read();
            let mut terminal = Terminal::standard(&environment);
            let exit = runtime.block_on(operate(command, &environment, &mut terminal, &SystemClock));
            ExitCode::from(exit.code())
        }
    }
}

/// Whoever stops reading has heard enough: what is told of is done.
fn told_to(end: std::io::Result<()>) -> anyhow::Result<()> {
    match end {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

fn ended(end: anyhow::Result<()>) -> ExitCode {
    match end {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => told(&error),
    }
}

/// Prints an error with everything that led to it.
fn told(error: &anyhow::Error) -> ExitCode {
    // Where errors cannot be written either there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "portolan: {error:#}");
    let exit = if error.is::<SettingsError>() {
        Exit::Usage
    } else {
        Exit::Failed
    };
    ExitCode::from(exit.code())
}
