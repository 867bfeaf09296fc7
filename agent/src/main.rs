//! The agent's binary: hands arguments and environment to the library.

use std::process::ExitCode;

use portolan_agent::cli;
use portolan_agent::settings::Environment;

fn main() -> ExitCode {
    ExitCode::from(cli::run(std::env::args_os(), &Environment::of_process()))
}
