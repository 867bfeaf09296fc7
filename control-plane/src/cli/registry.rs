//! `portolan registry`

use std::io::Write as _;
use std::path::PathBuf;

use reqwest::Method;
use serde_json::Value;

use super::Exit;
use super::assigned::assigned;
use super::client::read_pem;
use super::failure::CliError;
use super::operate::Desk;
use super::output::{Format, ListArgs, Sheet, ShowArgs, Table, moment, print_items, print_one};
use super::terminal::ConfirmArgs;
use crate::web::api::registries::{ChangeRegistry, CreateRegistry, Registry};

/// What can be done with registries.
#[derive(Debug, clap::Subcommand)]
pub enum RegistryCommand {
    /// Add a registry
    #[command(after_help = "\
A credential reference names a place on the sensor; the credential itself never comes here:
  file:PATH             a file with one line, username:secret
  env:PREFIX            the variables PREFIX_USERNAME and PREFIX_SECRET of the agent
  docker-config[:PATH]  a docker config.json, credential helpers included

Examples:
  portolan registry add gitlab https://registry.example.com:5050 --sensor berlin-1 \\
      --credential-ref file:/etc/portolan/gitlab --ca-file ca.pem
  portolan registry add mirror https://mirror.example.com --sensor berlin-1 \\
      --repository 'library/*' --repository 'acme/**'")]
    Add(Box<AddArgs>),
    /// List registries
    #[command(after_help = "Example:\n  portolan registry list")]
    List(ListArgs),
    /// Show a registry, and how its sensors are
    #[command(after_help = "Example:\n  portolan registry show gitlab")]
    Show {
        /// Name or id
        registry: String,
        #[command(flatten)]
        show: ShowArgs,
    },
    /// Change a registry; what is not named stays as it is
    #[command(after_help = "\
Examples:
  portolan registry set gitlab --credential-ref env:GITLAB
  portolan registry set gitlab --ca-file new-ca.pem --only-ca-file
  portolan registry set gitlab --all-repositories")]
    Set(Box<SetArgs>),
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

/// Flags of `portolan registry add`.
#[derive(Debug, clap::Args)]
pub struct AddArgs {
    /// Name for it: lower-case letters, digits, '.', '_' and '-'
    name: String,
    /// Where it is: HOST[:PORT][/PREFIX], over https unless it says http://
    url: String,
    /// Sensor that reads it; give several, the preferred first
    #[arg(long, value_name = "SENSOR", required = true)]
    sensor: Vec<String>,
    /// Where the sensor finds the credential; anonymous without
    #[arg(long, value_name = "REF")]
    credential_ref: Option<String>,
    /// PEM certificates of authorities to trust for it, besides the sensor's system store
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Trust the authorities of --ca-file alone
    #[arg(long, requires = "ca_file")]
    only_ca_file: bool,
    /// Only repositories that match: '*' stays within a component, '**' crosses them
    #[arg(long, value_name = "GLOB")]
    repository: Vec<String>,
    /// Requests in flight at most
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    concurrency: Option<u16>,
    #[command(flatten)]
    show: ShowArgs,
}

/// Flags of `portolan registry set`.
#[derive(Debug, clap::Args)]
pub struct SetArgs {
    /// Name or id
    registry: String,
    /// New name
    #[arg(long)]
    name: Option<String>,
    /// New address
    #[arg(long)]
    url: Option<String>,
    /// New sensors, the preferred first
    #[arg(long, value_name = "SENSOR")]
    sensor: Vec<String>,
    /// New place of the credential on the sensor
    #[arg(long, value_name = "REF", conflicts_with = "anonymous")]
    credential_ref: Option<String>,
    /// Read it without a credential
    #[arg(long)]
    anonymous: bool,
    /// New authorities
    #[arg(long, value_name = "FILE", conflicts_with = "no_ca_file")]
    ca_file: Option<PathBuf>,
    /// Trust the sensor's system store alone
    #[arg(long)]
    no_ca_file: bool,
    /// Trust the given authorities alone, or not
    #[arg(
        long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
        conflicts_with = "no_ca_file"
    )]
    only_ca_file: Option<bool>,
    /// New globs
    #[arg(long, value_name = "GLOB", conflicts_with = "all_repositories")]
    repository: Vec<String>,
    /// Want all repositories
    #[arg(long)]
    all_repositories: bool,
    /// Requests in flight at most
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    concurrency: Option<u16>,
    #[command(flatten)]
    show: ShowArgs,
}

pub(super) async fn run(mut desk: Desk<'_>, command: RegistryCommand) -> Result<Exit, CliError> {
    match command {
        RegistryCommand::Add(args) => {
            let format = args.show.output;
            let value = desk
                .client
                .put(Method::POST, &["registries"], &args.body()?)
                .await?;
            show_registry(&mut desk, format, &value).await
        }
        RegistryCommand::Set(args) => {
            let (format, registry) = (args.show.output, args.registry.clone());
            let body = args.body()?;
            let value = desk
                .client
                .put(Method::PATCH, &["registries", &registry], &body)
                .await?;
            show_registry(&mut desk, format, &value).await
        }
        RegistryCommand::List(args) => list(desk, &args).await,
        RegistryCommand::Show { registry, show } => {
            let value = desk.client.get(&["registries", &registry], &[]).await?;
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

impl AddArgs {
    fn body(self) -> Result<CreateRegistry, CliError> {
        Ok(CreateRegistry {
            name: self.name.parse().map_err(usage)?,
            url: self.url.parse().map_err(usage)?,
            sensors: self.sensor,
            ca_bundle_pem: self.ca_file.as_deref().map(read_pem).transpose()?,
            only_ca_bundle: self.only_ca_file,
            repositories: self.repository,
            credential_reference: self
                .credential_ref
                .map(|text| text.parse())
                .transpose()
                .map_err(usage)?,
            concurrency: self.concurrency,
        })
    }
}

impl SetArgs {
    fn body(self) -> Result<ChangeRegistry, CliError> {
        let credential = self
            .credential_ref
            .map(|text| text.parse())
            .transpose()
            .map_err(usage)?;
        let bundle = self.ca_file.as_deref().map(read_pem).transpose()?;
        let given = |list: Vec<String>| (!list.is_empty()).then_some(list);
        Ok(ChangeRegistry {
            name: self.name.map(|text| text.parse()).transpose().map_err(usage)?,
            url: self.url.map(|text| text.parse()).transpose().map_err(usage)?,
            sensors: given(self.sensor),
            ca_bundle_pem: bundle.map(Some).or(self.no_ca_file.then_some(None)),
            only_ca_bundle: self.only_ca_file.or(self.no_ca_file.then_some(false)),
            repositories: given(self.repository).or(self.all_repositories.then(Vec::new)),
            credential_reference: credential.map(Some).or(self.anonymous.then_some(None)),
            concurrency: self.concurrency,
        })
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "callers hand over whatever a parser gave"
)]
fn usage(error: impl ToString) -> CliError {
    CliError::Usage(error.to_string())
}

async fn list(desk: Desk<'_>, args: &ListArgs) -> Result<Exit, CliError> {
    let listing = desk.client.list(&["registries"], &[], args.limit()).await?;
    print_items(desk.terminal, args.show.output, listing, |items| {
        let mut table = Table::new(&["NAME", "URL", "SENSORS", "LAST ATTEMPT", "LAST SUCCESS"]);
        for item in items {
            let registry: Registry = desk.client.view(item)?;
            let time = |time: Option<_>| time.map_or_else(|| "never".to_owned(), moment);
            let (attempt, success) = (time(registry.last_attempt_at), time(registry.last_success_at));
            table.row([
                registry.name.clone(),
                registry.url.clone(),
                sensors(&registry),
                attempt,
                success,
            ]);
        }
        Ok(table)
    })?;
    Ok(Exit::Done)
}

async fn show_registry(desk: &mut Desk<'_>, format: Format, value: &Value) -> Result<Exit, CliError> {
    let registry: Registry = desk.client.view(value)?;
    let sensors = match format {
        Format::Table => assigned(&desk.client, &registry).await?,
        Format::Json | Format::Yaml => Vec::new(),
    };
    let now = desk.clock.now();
    print_one(desk.terminal, format, value, || {
        let trust = match (registry.ca_certificates, registry.only_ca_bundle) {
            (0, _) => "the sensor's system store".to_owned(),
            (count, true) => format!("{count} given, nothing else"),
            (count, false) => format!("{count} given, besides the sensor's system store"),
        };
        let mut sheet = Sheet::new();
        sheet
            .add("name", registry.name.clone())
            .add("id", registry.id.clone())
            .add("url", registry.url.clone())
            .add("authorities", trust)
            .add(
                "credential",
                registry
                    .credential_reference
                    .clone()
                    .unwrap_or_else(|| "none: anonymous".to_owned()),
            );
        sheet.add_all("sensors", sensors.iter().map(|sensor| sensor.tell(now)));
        if registry.repositories.is_empty() {
            sheet.add("repositories", "all".to_owned());
        } else {
            sheet.add_all("repositories", registry.repositories.clone());
        }
        sheet
            .add("concurrency", registry.concurrency.to_string())
            .add("added", moment(registry.created_at))
            .add(
                "changed",
                format!("{}, version {}", moment(registry.changed_at), registry.version),
            )
            .add(
                "last attempt",
                registry
                    .last_attempt_at
                    .map_or_else(|| "never".to_owned(), moment),
            )
            .add(
                "last success",
                registry
                    .last_success_at
                    .map_or_else(|| "never".to_owned(), moment),
            );
        Ok(sheet)
    })?;
    Ok(Exit::Done)
}

fn sensors(registry: &Registry) -> String {
    let names: Vec<_> = registry
        .sensors
        .iter()
        .map(|sensor| sensor.name.as_str())
        .collect();
    names.join(", ")
}
