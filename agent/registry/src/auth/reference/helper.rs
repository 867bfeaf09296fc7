//! Docker's credential helpers: a program that is asked on its standard input.

use std::path::PathBuf;

use super::environment::Environment;
use super::program;
use crate::auth::credential::{Credential, CredentialError, ProgramProblem};

/// Variables that helpers need to find their own state. Everything else, other logins included, is kept from them.
const PASSED_ON: [&str; 18] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "LC_ALL",
    "XDG_RUNTIME_DIR",
    "XDG_CONFIG_HOME",
    "DBUS_SESSION_BUS_ADDRESS",
    "DOCKER_CONFIG",
    "GNUPGHOME",
    "PASSWORD_STORE_DIR",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_PROFILE",
    "AWS_REGION",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ROLE_ARN",
];

/// Asks `docker-credential-NAME get` for the login of `server`; `None` if it has none. No shell is involved.
pub(super) async fn ask(
    name: &str,
    server: &str,
    environment: &Environment,
) -> Result<Option<Credential>, CredentialError> {
    let failed = |problem| CredentialError::Helper {
        // A name that is not one is not repeated: it may be anything.
        name: if is_name(name) {
            name.to_owned()
        } else {
            "?".to_owned()
        },
        problem,
    };
    if !is_name(name) {
        return Err(failed(ProgramProblem::Name));
    }
    let program = find(name, environment).ok_or_else(|| failed(ProgramProblem::NotFound))?;
    let variables = environment.only(&PASSED_ON);
    let input = format!("{server}\n");
    let said = program::run(&program, ["get"], variables, input.as_bytes())
        .await
        .map_err(failed)?;
    if let Some(failure) = said.failure {
        let none_stored = String::from_utf8_lossy(&said.answer).contains("credentials not found");
        return if none_stored {
            Ok(None)
        } else {
            Err(failed(failure))
        };
    }
    program::login(&said.answer).map_err(failed)
}

fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

fn find(name: &str, environment: &Environment) -> Option<PathBuf> {
    let file = format!("docker-credential-{name}");
    environment
        .get("PATH")?
        .split(':')
        .filter(|folder| folder.starts_with('/'))
        .map(|folder| PathBuf::from(folder).join(&file))
        .find(|path| path.is_file())
}
