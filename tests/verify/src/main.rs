#![doc = include_str!("../README.md")]
#![expect(clippy::print_stdout, reason = "its purpose is what it prints")]

mod check;
mod needs;
mod report;
mod runner;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser;

use crate::check::{CHECKS, Check};
use crate::runner::Runner;

/// Runs every check of this repository.
#[derive(Debug, Parser)]
#[command(name = "cargo verify", bin_name = "cargo verify")]
struct Arguments {
    /// Run this check alone; may be given several times
    #[arg(long, value_name = "NAME", value_parser = check_name)]
    only: Vec<String>,
    /// Leave this check out; may be given several times
    #[arg(long, value_name = "NAME", value_parser = check_name)]
    skip: Vec<String>,
    /// Name the checks and what each proves, and run none
    #[arg(long)]
    list: bool,
    /// The cargo that runs the checks; cargo itself sets this
    #[arg(long, env = "CARGO", default_value = "cargo", hide = true)]
    cargo: PathBuf,
}

fn check_name(text: &str) -> Result<String, String> {
    let names: Vec<&str> = CHECKS.iter().map(|check| check.name).collect();
    if names.contains(&text) {
        Ok(text.to_owned())
    } else {
        Err(format!("the checks are {}", names.join(", ")))
    }
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse_from(given());
    if arguments.list {
        for check in CHECKS {
            println!("{:<12} {:<58} {}", check.name, check.command_line(), check.proves);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .context("find the root of the workspace")?;
    let chosen: Vec<&Check> = CHECKS
        .iter()
        .filter(|check| arguments.only.is_empty() || arguments.only.iter().any(|name| name == check.name))
        .filter(|check| !arguments.skip.iter().any(|name| name == check.name))
        .collect();
    let mut runner = Runner::new(root, &arguments.cargo)?;
    if let Err(missing) = needs::meet(&chosen, &mut runner) {
        println!("{missing:#}");
        return Ok(ExitCode::from(2));
    }
    let results = chosen
        .into_iter()
        .map(|check| runner.run(check))
        .collect::<anyhow::Result<Vec<_>>>()?;
    Ok(report::print(&results))
}

/// The arguments of this process. The alias ends in `--` already, so that a second one, as people are used to type it, is no argument.
fn given() -> impl Iterator<Item = OsString> {
    let all = std::env::args_os().enumerate();
    all.filter(|(at, argument)| *at != 1 || argument != "--")
        .map(|(_, argument)| argument)
}
