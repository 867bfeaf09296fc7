//! `portolan token`

use std::io::Write as _;

use jiff::{SignedDuration, Timestamp};
use reqwest::Method;

use super::Exit;
use super::failure::CliError;
use super::operate::Desk;
use super::output::{Format, ListArgs, Sheet, ShowArgs, Table, moment, print_items, print_one};
use crate::web::api::tokens::{CreateToken, CreatedToken, Token};

/// What can be done with API tokens.
#[derive(Debug, clap::Subcommand)]
pub enum TokenCommand {
    /// Make an API token
    #[command(after_help = "\
The token is printed on standard output alone, once.

Example:
  portolan token create ci --role operator --days 90")]
    Create {
        /// What it is for
        name: String,
        /// What it may do: viewer, operator or admin
        #[arg(long, default_value = "viewer")]
        role: String,
        /// Days that it can be used; without end if not given
        #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u16).range(1..))]
        days: Option<u16>,
        #[command(flatten)]
        show: ShowArgs,
    },
    /// List API tokens, without their texts
    #[command(after_help = "Example:\n  portolan token list")]
    List(ListArgs),
    /// Revoke an API token
    #[command(after_help = "Example:\n  portolan token revoke 01890a5d-ac96-774b-bcce-b302099a8057")]
    Revoke {
        /// Id
        token: String,
    },
}

pub(super) async fn run(desk: Desk<'_>, command: TokenCommand) -> Result<Exit, CliError> {
    match command {
        TokenCommand::Create {
            name,
            role,
            days,
            show,
        } => {
            let expires_at = match days {
                Some(days) => Some(after(desk.clock.now(), days)?),
                None => None,
            };
            let body = CreateToken {
                name,
                role,
                expires_at,
            };
            create(desk, &body, show.output).await
        }
        TokenCommand::List(args) => list(desk, &args).await,
        TokenCommand::Revoke { token } => {
            desk.client.delete(&["tokens", &token]).await?;
            writeln!(desk.terminal.err, "revoked {token}")?;
            Ok(Exit::Done)
        }
    }
}

fn after(now: Timestamp, days: u16) -> Result<Timestamp, CliError> {
    now.checked_add(SignedDuration::from_hours(24 * i64::from(days)))
        .map_err(|_| CliError::Usage("--days ends beyond all time".to_owned()))
}

async fn create(desk: Desk<'_>, body: &CreateToken, format: Format) -> Result<Exit, CliError> {
    let value = desk.client.put(Method::POST, &["tokens"], body).await?;
    if format != Format::Table {
        print_one(desk.terminal, format, &value, || Ok(Sheet::new()))?;
        return Ok(Exit::Done);
    }
    let made: CreatedToken = desk.client.view(&value)?;
    writeln!(desk.terminal.out, "{}", made.token)?;
    desk.terminal.out.flush()?;
    let end = made.expires_at.map_or_else(
        || "without end".to_owned(),
        |end| format!("until {}", moment(end)),
    );
    writeln!(
        desk.terminal.err,
        "{} ({}), {end}; id {}",
        made.name, made.role, made.id
    )?;
    Ok(Exit::Done)
}

async fn list(desk: Desk<'_>, args: &ListArgs) -> Result<Exit, CliError> {
    let listing = desk.client.list(&["tokens"], &[], args.limit()).await?;
    let now = desk.clock.now();
    print_items(desk.terminal, args.show.output, listing, |items| {
        let mut table = Table::new(&["NAME", "ROLE", "STATE", "CREATED", "ENDS", "ID"]);
        for item in items {
            let token: Token = desk.client.view(item)?;
            let state = if token.revoked_at.is_some() {
                "revoked"
            } else if token.expires_at.is_some_and(|end| end <= now) {
                "expired"
            } else {
                "in use"
            };
            table.row([
                token.name,
                token.role,
                state.to_owned(),
                moment(token.created_at),
                token.expires_at.map_or_else(|| "never".to_owned(), moment),
                token.id,
            ]);
        }
        Ok(table)
    })?;
    Ok(Exit::Done)
}
