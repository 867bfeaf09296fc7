//! Docker's credential helpers: a program that is asked on its standard input.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use portolan_shared::secret::Secret;
use serde::Deserialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;

use super::credential::{Credential, CredentialError};
use super::source::Environment;

/// A helper that takes longer is ended: some wait for a person to unlock a key ring.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of a helper's answer: an error above.
const ANSWER_BYTES: u64 = 64 * 1024;
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

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: String,
}

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
        return Err(failed("has a name that is none"));
    }
    let program = find(name, environment).ok_or_else(|| failed("is not in PATH"))?;
    let mut command = Command::new(program);
    command
        .arg("get")
        .env_clear()
        .envs(
            PASSED_ON
                .iter()
                .filter_map(|name| Some((name, environment.get(name)?))),
        )
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    let mut child = command.spawn().map_err(|_| failed("cannot be started"))?;
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    let talk = async {
        if let Some(mut stdin) = stdin {
            // A helper that does not read its input has closed it; what it answers tells more than that.
            let _ = stdin.write_all(server.as_bytes()).await;
            let _ = stdin.write_all(b"\n").await;
        }
        let mut answer = Vec::new();
        if let Some(stdout) = stdout {
            stdout
                .take(ANSWER_BYTES + 1)
                .read_to_end(&mut answer)
                .await
                .map_err(|_| failed("cannot be read from"))?;
        }
        if answer.len() as u64 > ANSWER_BYTES {
            return Err(failed("answered too much"));
        }
        let status = child.wait().await.map_err(|_| failed("cannot be waited for"))?;
        Ok((status, answer))
    };
    let (status, answer) = tokio::time::timeout(PATIENCE, talk)
        .await
        .map_err(|_| failed("gave no answer in 10 s"))??;
    if !status.success() {
        let none_stored = String::from_utf8_lossy(&answer).contains("credentials not found");
        return if none_stored {
            Ok(None)
        } else {
            Err(failed("failed"))
        };
    }
    let answer: Answer =
        serde_json::from_slice(&answer).map_err(|_| failed("answered something that is no login"))?;
    if answer.secret.is_empty() {
        return Ok(None);
    }
    let secret = Secret::new(answer.secret);
    Ok(Some(if answer.username == "<token>" {
        Credential::IdentityToken(secret)
    } else {
        Credential::Login {
            username: answer.username,
            secret,
        }
    }))
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
