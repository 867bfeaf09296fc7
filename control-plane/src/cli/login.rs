//! `portolan login`

use std::io::{BufRead as _, Read as _, Write as _};
use std::path::PathBuf;

use portolan_shared::secret::Secret;
use zeroize::Zeroizing;

use super::client::{Connection, StoredLogin};
use super::failure::CliError;
use super::terminal::Silence;
use super::{Environment, Exit, Terminal};
use crate::web::api::whoami::Whoami;

/// Longest line that is read as a token, in bytes.
const LINE: u64 = 1_024;

/// Flags of `portolan login`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The token is asked for on a terminal, else read from standard input; never from the command line, which other users of the machine can see. It is checked, then stored in ~/.config/portolan/login.toml, readable by you alone.

Example:
  portolan login https://portolan.example.com < admin.token")]
pub struct LoginArgs {
    /// Address of the control plane
    #[arg(value_name = "URL")]
    url: String,

    /// PEM certificates of the authority of the control plane's certificate, if it is not one that this machine trusts anyway
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
}

pub(super) async fn login(
    args: LoginArgs,
    environment: &Environment,
    terminal: &mut Terminal,
) -> Result<Exit, CliError> {
    let folder = environment.config_folder.as_deref().ok_or_else(|| {
        CliError::Usage(
            "there is no home directory to store the login in: use PORTOLAN_URL and PORTOLAN_TOKEN"
                .to_owned(),
        )
    })?;
    let url = super::client::base(&args.url)?;
    let ca_file = match args.ca_file {
        Some(path) => Some(std::path::absolute(path)?),
        None => None,
    };
    let connection = Connection {
        url,
        token: ask(terminal)?,
        ca_file,
    };
    let client = connection.client()?;
    let who: Whoami = client.view(&client.get(&["whoami"], &[]).await?)?;
    let stored = StoredLogin {
        url: connection.url.to_string(),
        token: connection.token,
        ca_file: connection.ca_file,
    };
    let path = stored.write(folder)?;
    writeln!(
        terminal.err,
        "logged in as {} ({}); stored in {}",
        who.token_name,
        who.role,
        path.display()
    )?;
    Ok(Exit::Done)
}

fn ask(terminal: &mut Terminal) -> Result<Secret, CliError> {
    let silenced = if terminal.asks {
        write!(terminal.err, "Token: ")?;
        terminal.err.flush()?;
        Silence::begin()
    } else {
        None
    };
    let mut line = Zeroizing::new(String::new());
    let read = (&mut terminal.input).take(LINE).read_line(&mut line);
    drop(silenced);
    if terminal.asks {
        writeln!(terminal.err)?;
    }
    read?;
    let token = Secret::new(line.trim().to_owned());
    if token.expose().is_empty() {
        return Err(CliError::Usage("no token was given".to_owned()));
    }
    Ok(token)
}
