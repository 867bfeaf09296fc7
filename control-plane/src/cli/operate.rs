//! Carrying a command out.

use std::io::Write as _;

use portolan_shared::process::{Clock, Rng, SystemRng};

use super::client::{Client, Connection};
use super::failure::CliError;
use super::{Environment, Exit, OperatorCommand, Terminal};
use super::{
    audit, changes, completion, credential, diff, history, image, locate, login, registry, repository, run,
    schedule, sensor, settings, status, sync, tag, token, webhook, whoami,
};

/// What the commands work with.
pub(super) struct Desk<'t> {
    pub(super) client: Client,
    pub(super) terminal: &'t mut Terminal,
    pub(super) clock: &'t dyn Clock,
    pub(super) rng: &'t dyn Rng,
    pub(super) environment: &'t Environment,
}

impl<'t> Desk<'t> {
    fn open(
        environment: &'t Environment,
        terminal: &'t mut Terminal,
        clock: &'t dyn Clock,
    ) -> Result<Self, CliError> {
        let client = Connection::find(environment)?.client()?;
        Ok(Self {
            client,
            terminal,
            clock,
            // What seals a login must not be foreseeable, in a test either.
            rng: &SystemRng,
            environment,
        })
    }
}

/// Carries out a command of an operator, and tells how it ended.
pub async fn operate(
    command: OperatorCommand,
    environment: &Environment,
    terminal: &mut Terminal,
    clock: &dyn Clock,
) -> Exit {
    match carry_out(command, environment, terminal, clock).await {
        Ok(exit) => exit,
        Err(error) => {
            let exit = error.exit();
            if exit != Exit::Done {
                // Where errors cannot be written either there is nobody to tell.
                let _ = writeln!(terminal.err, "{}", error.tell());
            }
            exit
        }
    }
}

async fn carry_out(
    command: OperatorCommand,
    environment: &Environment,
    terminal: &mut Terminal,
    clock: &dyn Clock,
) -> Result<Exit, CliError> {
    use OperatorCommand as Do;
    let desk = |terminal| Desk::open(environment, terminal, clock);
    match command {
        Do::Login(args) => login::login(args, environment, terminal).await,
        Do::Completion(args) => completion::print(&args, terminal),
        Do::Whoami(args) => whoami::show(desk(terminal)?, &args).await,
        Do::Status(args) => status::show(desk(terminal)?, &args).await,
        Do::Sensor(command) => sensor::run(desk(terminal)?, command).await,
        Do::Registry(command) => registry::run(desk(terminal)?, command).await,
        Do::Credential(command) => credential::run(desk(terminal)?, command).await,
        Do::Sync(args) => sync::sync(desk(terminal)?, args).await,
        Do::Schedule(command) => schedule::run(desk(terminal)?, command).await,
        Do::Run(command) => run::run(desk(terminal)?, command).await,
        Do::Repository(command) => repository::run(desk(terminal)?, command).await,
        Do::Tag(command) => tag::run(desk(terminal)?, command).await,
        Do::Image(command) => image::run(desk(terminal)?, command).await,
        Do::History(args) => history::list(desk(terminal)?, args).await,
        Do::Diff(args) => diff::list(desk(terminal)?, args).await,
        Do::Changes(args) => changes::follow(desk(terminal)?, args).await,
        Do::Settings(command) => settings::run(desk(terminal)?, command).await,
        Do::Webhook(command) => webhook::run(desk(terminal)?, command).await,
        Do::Where(args) => locate::list(desk(terminal)?, args).await,
        Do::Token(command) => token::run(desk(terminal)?, command).await,
        Do::Audit(command) => audit::run(terminal, desk, command).await,
    }
}
