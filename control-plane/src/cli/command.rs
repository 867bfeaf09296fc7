//! The command line.

use clap::{Parser, Subcommand};

use super::changes::ChangesArgs;
use super::completion::CompletionArgs;
use super::diff::DiffArgs;
use super::history::HistoryArgs;
use super::locate::LocateArgs;
use super::login::LoginArgs;
use super::output::ShowArgs;
use super::status::StatusArgs;
use super::sync::SyncArgs;
use super::{
    audit, credential, image, registry, repository, run, schedule, sensor, settings, tag, token, webhook,
};
use crate::settings::ServerArgs;
use crate::upkeep::{BackupArgs, RestoreArgs};

const AFTER: &str = "\
Where the control plane is: PORTOLAN_URL and PORTOLAN_TOKEN (and PORTOLAN_CA_FILE for an authority of its own), else what `portolan login` stored.

Results go to standard output, everything else to standard error. Exit codes:
   0  done; for a run that was waited for: complete
   1  something failed on this machine
   2  the command line, or a value in it, is not acceptable
   3  not logged in, token not valid, or its role too small
   4  what was named does not exist
   5  the control plane cannot be reached, or failed
   6  conflict with what is there: a name is taken, a reference is ambiguous, a run has ended
  10  the run ended, but could not see everything
  11  the run failed
  12  the run was cancelled
  13  a stage of the registry's test failed
  14  no sensor carried the test out in time
  16  a sensor is not the one that it was known as: nothing was sealed for it
  17  something needs attention
  18  a webhook's endpoint did not take the test
 130  interrupted while waiting; the run goes on

Examples:
  portolan server --data-dir /var/lib/portolan
  portolan sensor invite berlin-1
  portolan registry add gitlab https://registry.example.com:5050 \\
      --sensor berlin-1 --credential-ref file:/etc/portolan/gitlab
  portolan sync gitlab --wait
  portolan image show gitlab/acme/shop:1.0";

/// What is in our container registries, since when, seen by whom, and what could not be seen.
#[derive(Debug, Parser)]
#[command(name = "portolan", version, after_help = AFTER, max_term_width = 120)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Everything that `portolan` can be told to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the control plane
    Server(ServerArgs),
    /// Copy the control plane's database, which may be in use
    Backup(BackupArgs),
    /// Put a backup in the place of the control plane's database
    Restore(RestoreArgs),
    /// What an operator does.
    #[command(flatten)]
    Operator(OperatorCommand),
}

/// What is done over the API of a control plane.
#[derive(Debug, Subcommand)]
pub enum OperatorCommand {
    /// Store where the control plane is, and a token for it
    Login(LoginArgs),
    /// Show whose token this is
    #[command(after_help = "Example:\n  portolan whoami")]
    Whoami(ShowArgs),
    /// Show whether everything is well, and if not, what to do first
    Status(StatusArgs),
    /// Invite, list, show and revoke sensors
    #[command(subcommand)]
    Sensor(sensor::SensorCommand),
    /// Add, list, show, change, pause and remove registries
    #[command(subcommand)]
    Registry(registry::RegistryCommand),
    /// List, show, take back and remove the credentials of registries
    #[command(subcommand)]
    Credential(credential::CredentialCommand),
    /// Run a sync of a registry
    Sync(SyncArgs),
    /// Try schedules out
    #[command(subcommand)]
    Schedule(schedule::ScheduleCommand),
    /// List, show, watch and cancel runs
    #[command(subcommand)]
    Run(run::RunCommand),
    /// List repositories
    #[command(subcommand)]
    Repository(repository::RepositoryCommand),
    /// List tags of a repository
    #[command(subcommand)]
    Tag(tag::TagCommand),
    /// Show an image or any other artifact
    #[command(subcommand)]
    Image(image::ImageCommand),
    /// Show which tag pointed where, when
    History(HistoryArgs),
    /// Show what is different in a registry since some time
    Diff(DiffArgs),
    /// Print everything that is there, then follow what changes
    Changes(ChangesArgs),
    /// Tell endpoints of others what changes
    #[command(subcommand)]
    Webhook(webhook::WebhookCommand),
    /// Show where a digest is
    Where(LocateArgs),
    /// Make, list and revoke API tokens
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// Read the audit log
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Show and change what holds for the whole tenant
    #[command(subcommand)]
    Settings(settings::SettingsCommand),
    /// Print a completion script for a shell
    Completion(CompletionArgs),
}
