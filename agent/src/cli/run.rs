//! From arguments to a command.

use std::io::{self, Write as _};

use clap::{CommandFactory as _, Parser as _};
use portolan_shared::process::start_logging;

use super::arguments::{Cli, Command, NotifyCommand, PolicyCommand};
use super::audit::audit;
use super::commands::{doctor, run_agent, show_status};
use super::egress::egress;
use super::enroll::{enroll, read_token};
use super::exit::{DONE, FAILED, Failed, USAGE};
use super::notify::check_notify;
use super::outbound::show_outbound;
use super::policy::{check_policy, test_policy};
use crate::policy::Allowed;
use crate::settings::{Environment, Flags, Settings};

/// Runs the command in `arguments`, of which the first is the program's name, and gives the exit code.
pub fn run(arguments: impl IntoIterator<Item = std::ffi::OsString>, environment: &Environment) -> u8 {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are answers, not errors. A closed terminal is nobody to tell.
            let _ = error.print();
            return if error.use_stderr() { USAGE } else { DONE };
        }
    };
    match dispatch(cli, environment) {
        Ok(code) => code,
        Err(Failed(code, text)) => {
            let _ = writeln!(io::stderr(), "error: {text}");
            code
        }
    }
}

fn dispatch(cli: Cli, environment: &Environment) -> Result<u8, Failed> {
    let mut flags = Flags {
        config: cli.common.config,
        data_dir: cli.common.data_dir,
        policy: cli.common.policy,
        proxy: cli.common.proxy,
        registry_proxy: cli.common.registry_proxy,
        health_listen: None,
        log_filter: cli.common.log_filter,
        log_format: cli.common.log_format,
    };
    if let Command::Completion { shell } = cli.command {
        clap_complete::generate(shell, &mut Cli::command(), "portolan-agent", &mut io::stdout());
        return Ok(DONE);
    }
    if let Command::Run { health_listen } = &cli.command {
        flags.health_listen.clone_from(health_listen);
    }
    let settings = Settings::read(&flags, environment).map_err(|error| Failed::because(USAGE, &error))?;
    start_logging(settings.log.format, &settings.log.filter)
        .map_err(|error| Failed::because(USAGE, &error))?;
    match cli.command {
        Command::Enroll {
            token,
            allow,
            realm,
            storage,
            credential,
        } => {
            let token = read_token(token.as_deref(), environment)?;
            let allow = Allowed {
                registries: allow,
                realms: realm,
                storage,
                credentials: credential,
            };
            block_on(enroll(settings, token, allow))?
        }
        Command::Run { .. } => block_on(run_agent(settings, environment.clone()))?,
        Command::Status { output } => block_on(show_status(&settings, output))?,
        Command::Doctor(arguments) => block_on(doctor(&arguments, &settings, environment))?,
        Command::Policy(PolicyCommand::Check { file }) => {
            check_policy(&file.unwrap_or(settings.policy), &settings.registry_proxy)
        }
        Command::Policy(PolicyCommand::Test(arguments)) => block_on(test_policy(&arguments, &settings))?,
        Command::Policy(PolicyCommand::Egress(arguments)) => block_on(egress(&arguments, &settings))?,
        Command::Notify(NotifyCommand::Check) => block_on(check_notify(&settings))?,
        Command::Audit(command) => audit(command, &settings),
        Command::ShowOutbound(arguments) => show_outbound(&arguments, &settings),
        // Answered above, before settings were read.
        Command::Completion { .. } => Ok(DONE),
    }
}

/// One thread is enough: the agent waits for networks, and a small idle process is a promise.
fn block_on<T>(work: impl Future<Output = T>) -> Result<T, Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failed::because(FAILED, &error))?;
    Ok(runtime.block_on(work))
}
