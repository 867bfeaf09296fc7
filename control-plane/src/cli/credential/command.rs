//! The subcommands.

use std::io::Write as _;

use super::list::list;
use super::show::show_credential;
use crate::cli::Exit;
use crate::cli::failure::CliError;
use crate::cli::operate::Desk;
use crate::cli::output::{ListArgs, ShowArgs};
use crate::cli::terminal::ConfirmArgs;

/// What can be done with the credentials of registries.
#[derive(Debug, clap::Subcommand)]
pub enum CredentialCommand {
    /// List the credentials of registries, never what is in them
    #[command(after_help = "Example:\n  portolan credential list")]
    List(ListArgs),
    /// Show the credential of a registry: who can open it, for what, until when, and what is to be done
    #[command(after_help = "\
Its content is never shown: nobody but the sensors can open it. To enter a new one: `portolan registry set REGISTRY --username …`.

Example:
  portolan credential show gitlab")]
    Show {
        /// Name or id of the registry
        registry: String,
        #[command(flatten)]
        show: ShowArgs,
    },
    /// Take back the version in use, as long as it has never worked: the one before counts again
    #[command(after_help = "Example:\n  portolan credential revert gitlab")]
    Revert {
        /// Name or id of the registry
        registry: String,
        #[command(flatten)]
        show: ShowArgs,
    },
    /// Withdraw the credential of a registry from all sensors; it is read without one then
    #[command(after_help = "\
On a terminal it asks first. The login still works at the registry: remove it there, too.

Example:
  portolan credential remove gitlab")]
    Remove {
        /// Name or id of the registry
        registry: String,
        #[command(flatten)]
        confirm: ConfirmArgs,
    },
}

pub(in crate::cli) async fn run(mut desk: Desk<'_>, command: CredentialCommand) -> Result<Exit, CliError> {
    match command {
        CredentialCommand::List(args) => list(desk, &args).await,
        CredentialCommand::Show { registry, show } => {
            let value = desk
                .client
                .get(&["registries", &registry, "credential"], &[])
                .await?;
            show_credential(&mut desk, show.output, &value)
        }
        CredentialCommand::Revert { registry, show } => {
            let value = desk
                .client
                .act(&["registries", &registry, "credential", "revert"])
                .await?;
            show_credential(&mut desk, show.output, &value)
        }
        CredentialCommand::Remove { registry, confirm } => {
            let question = format!("Remove the credential of {registry}, and read it without one?");
            confirm.ask(desk.terminal, &question)?;
            desk.client
                .delete(&["registries", &registry, "credential"])
                .await?;
            writeln!(
                desk.terminal.err,
                "removed the credential of {registry}; the login itself still works at the registry until it is removed there"
            )?;
            Ok(Exit::Done)
        }
    }
}
