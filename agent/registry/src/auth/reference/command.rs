//! Commands that this machine's administrator gave a name.

use portolan_shared::model::Commands;

use super::environment::Environment;
use super::program;
use crate::auth::credential::{Credential, CredentialError, ProgramProblem};

/// Variables that every command is given. What else it needs is listed with it.
const PASSED_ON: [&str; 2] = ["PATH", "HOME"];

/// Runs the command of this name and takes the login that it answers.
pub(super) async fn ask(
    name: &str,
    commands: &Commands,
    environment: &Environment,
) -> Result<Credential, CredentialError> {
    let Some(command) = commands.get(name) else {
        return Err(CredentialError::NoCommand(name.to_owned()));
    };
    let failed = |problem| CredentialError::Command {
        name: name.to_owned(),
        problem,
    };
    let listed: Vec<&str> = command.environment.iter().map(String::as_str).collect();
    let variables = environment.only(&PASSED_ON).chain(environment.only(&listed));
    let said = program::run(&command.program, &command.arguments, variables, b"")
        .await
        .map_err(failed)?;
    if let Some(failure) = said.failure {
        return Err(failed(failure));
    }
    program::login(&said.answer)
        .and_then(|login| login.ok_or(ProgramProblem::NoLogin))
        .map_err(failed)
}
