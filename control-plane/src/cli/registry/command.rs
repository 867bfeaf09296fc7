//! The subcommands.

use std::io::Write as _;

use crate::cli::Exit;
use crate::cli::failure::CliError;
use crate::cli::notification::show_webhook;
use crate::cli::operate::Desk;
use crate::cli::output::{ListArgs, ShowArgs};
use crate::cli::probe::{TestArgs, test};
use crate::cli::sealing::sealing_help;
use crate::cli::terminal::ConfirmArgs;

use super::add::{AddArgs, add};
use super::filters::patterns_help;
use super::list::list;
use super::schedule::schedules_help;
use super::set::{SetArgs, set};
use super::show::show_registry;

/// What can be done with registries.
#[derive(Debug, clap::Subcommand)]
pub enum RegistryCommand {
    /// Add a registry
    #[command(after_help = concat!("\
A credential reference names a place on the sensor; the credential itself never comes here:
  file:PATH             a file with one line, username:secret
  env:PREFIX            the variables PREFIX_USERNAME and PREFIX_SECRET of the agent
  docker-config[:PATH]  a docker config.json, credential helpers included
  systemd:NAME          a credential that systemd gives to the agent's unit
  kubernetes:PATH       the folder that a secret with username and password, or with .dockerconfigjson, is mounted at
  command:NAME          what a program answers that the agent's policy.toml has under this name

", sealing_help!(), "

", patterns_help!(), "

", schedules_help!(), "

Examples:
  portolan registry add gitlab https://registry.example.com:5050 --sensor berlin-1 \\
      --credential-ref file:/etc/portolan/gitlab --ca-file ca.pem
  portolan registry add gitlab https://registry.example.com:5050 --sensor berlin-1 \\
      --username reader --password-stdin --accept-realm gitlab.example.com < password
  portolan registry add mirror https://mirror.example.com --sensor berlin-1 \\
      --repository 'library/*' --repository 'acme/**' --newest-tags 50
  portolan registry add hub https://registry-1.docker.io --sensor berlin-1 \\
      --repository acme/shop --tag 'v*' --tag '!*-rc*' --requests-per-day 2000
  portolan registry add gitlab https://registry.example.com:5050 --sensor berlin-1 \\
      --schedule 'daily 02:30' --zone Europe/Berlin --blackout 'mon-fri 08:00-18:00'"))]
    Add(Box<AddArgs>),
    /// List registries
    #[command(
        after_help = "Times are in UTC; of the next five starts the further ones say what differs from the one before.\n\nExample:\n  portolan registry list"
    )]
    List(ListArgs),
    /// Show a registry, what is known of it, and how its sensors are
    #[command(
        after_help = "Examples:\n  portolan registry show gitlab\n  portolan registry show gitlab --webhook"
    )]
    Show {
        /// Name or id
        registry: String,
        /// Show what to write where, with address and secret, so that the registry notifies of pushes
        #[arg(long)]
        webhook: bool,
        /// With --webhook: whose format; by default what follows from the registry's flavour
        #[arg(long, value_name = "SENDER", requires = "webhook")]
        sender: Option<String>,
        #[command(flatten)]
        show: ShowArgs,
    },
    /// Change a registry; what is not named stays as it is
    #[command(after_help = concat!(sealing_help!(), "
A new login follows the one before: sensors use it from the next request on, and the one before is kept until it has worked.

", patterns_help!(), "

", schedules_help!(), "

With --preview nothing is changed: it says what the filters would match of the inventory of the last run.

Examples:
  portolan registry set gitlab --credential-ref env:GITLAB
  portolan registry set gitlab --credential-file login.json --expires 2027-03-31
  portolan registry set gitlab --ca-file new-ca.pem --only-ca-file
  portolan registry set gitlab --repository 'acme/**' --tag '!tmp-*' --max-tag-age 90d --preview
  portolan registry set gitlab --all-repositories --all-tags --any-tag-age
  portolan registry set gitlab --schedule 'every 6h' --jitter 10m --max-run 2h --missed skip
  portolan registry set gitlab --schedule on-push --zone Europe/Berlin --no-blackouts"))]
    Set(Box<SetArgs>),
    /// Test a registry: one of its sensors looks at it, stage by stage
    #[command(after_help = "\
Says of each stage on the way to an image whether it works, what was seen, and what to do. Exit code 13 if a stage fails, 14 if no sensor looked in time.

Examples:
  portolan registry test gitlab
  portolan registry test gitlab --repository acme/shop/api -o json")]
    Test(TestArgs),
    /// Hold a registry's schedule: nothing starts but what people start
    #[command(after_help = "\
What is under way goes on; `portolan run cancel` ends it.

Example:
  portolan registry pause gitlab")]
    Pause {
        /// Name or id
        registry: String,
        #[command(flatten)]
        show: ShowArgs,
    },
    /// Let a registry's schedule go on
    #[command(after_help = "\
It goes on from now: starts that were missed meanwhile are not made up for.

Example:
  portolan registry resume gitlab")]
    Resume {
        /// Name or id
        registry: String,
        #[command(flatten)]
        show: ShowArgs,
    },
    /// Remove a registry with its inventory, history and runs
    #[command(after_help = "\
On a terminal it asks first.

Example:
  portolan registry remove gitlab")]
    Remove {
        /// Name or id
        registry: String,
        #[command(flatten)]
        confirm: ConfirmArgs,
    },
}

pub(in crate::cli) async fn run(mut desk: Desk<'_>, command: RegistryCommand) -> Result<Exit, CliError> {
    match command {
        RegistryCommand::Add(args) => add(&mut desk, *args).await,
        RegistryCommand::Set(args) => set(&mut desk, *args).await,
        RegistryCommand::List(args) => list(desk, &args).await,
        RegistryCommand::Show {
            registry,
            webhook: true,
            sender,
            show,
        } => {
            let query = [("sender", sender.as_deref())];
            let path = ["registries", registry.as_str(), "webhook"];
            let value = desk.client.get(&path, &query).await?;
            show_webhook(&mut desk, show.output, &registry, &value)
        }
        RegistryCommand::Show { registry, show, .. } => {
            let value = desk.client.get(&["registries", &registry], &[]).await?;
            show_registry(&mut desk, show.output, &value).await
        }
        RegistryCommand::Test(args) => test(desk, args).await,
        RegistryCommand::Pause { registry, show } => {
            let value = desk.client.act(&["registries", &registry, "pause"]).await?;
            show_registry(&mut desk, show.output, &value).await
        }
        RegistryCommand::Resume { registry, show } => {
            let value = desk.client.act(&["registries", &registry, "resume"]).await?;
            show_registry(&mut desk, show.output, &value).await
        }
        RegistryCommand::Remove { registry, confirm } => {
            let question = format!("Remove registry {registry} with its inventory, history and runs?");
            confirm.ask(desk.terminal, &question)?;
            desk.client.delete(&["registries", &registry]).await?;
            writeln!(desk.terminal.err, "removed {registry}")?;
            Ok(Exit::Done)
        }
    }
}
