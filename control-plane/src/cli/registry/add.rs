//! `portolan registry add`

use std::io::Write as _;
use std::path::PathBuf;

use portolan_shared::model::RegistryId;
use reqwest::Method;

use super::budget::BudgetArgs;
use super::filters::FilterArgs;
use super::schedule::{Expression, ScheduleArgs};
use super::show::show_registry;
use crate::cli::Exit;
use crate::cli::client::read_pem;
use crate::cli::failure::CliError;
use crate::cli::operate::Desk;
use crate::cli::output::ShowArgs;
use crate::cli::probe::{before_saving, unsaved};
use crate::cli::sealing::{SealArgs, Sealing, Target, seal_login};
use crate::web::api::registries::CreateRegistry;

/// Whoever says nothing gets an inventory that is kept up to date.
const DEFAULT_SCHEDULE: &str = "daily";

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
    /// Where the sensor finds the credential; anonymous without it and without a login to seal
    #[arg(long, value_name = "REF", conflicts_with = "login")]
    credential_ref: Option<String>,
    #[command(flatten)]
    seal: SealArgs,
    /// PEM certificates of authorities to trust for it, besides the sensor's system store
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Trust the authorities of --ca-file alone
    #[arg(long, requires = "ca_file")]
    only_ca_file: bool,
    #[command(flatten)]
    filters: FilterArgs,
    #[command(flatten)]
    budget: BudgetArgs,
    /// When it is read; daily if not given, see below
    #[arg(long, value_name = "SCHEDULE", value_parser = Expression, hide_possible_values = true)]
    schedule: Option<String>,
    #[command(flatten)]
    schedule_args: ScheduleArgs,
    /// Have a sensor test it before it is saved, as it is without a word; takes an earlier --no-test back
    #[arg(long, overrides_with = "no_test")]
    test: bool,
    /// Save it without having a sensor test it first
    #[arg(long, overrides_with = "test")]
    no_test: bool,
    #[command(flatten)]
    show: ShowArgs,
}

pub(super) async fn add(desk: &mut Desk<'_>, args: AddArgs) -> Result<Exit, CliError> {
    let (format, tested) = (args.show.output, args.test || !args.no_test);
    let by_default = args.schedule.is_none().then(|| args.name.clone());
    let (mut body, seal) = args.body()?;
    if seal.are_given() {
        let target = Target {
            registry: RegistryId::generate(desk.clock, desk.rng),
            saved: false,
            anonymous: unsaved(&body),
            former: None,
        };
        match seal_login(desk, &seal, &target, tested).await? {
            Sealing::Stopped(exit) => return Ok(exit),
            Sealing::Sealed(sealed) => {
                body.id = Some(target.registry);
                body.credential = Some(sealed);
            }
        }
    } else if tested && let Some(exit) = before_saving(desk, &body).await? {
        return Ok(exit);
    }
    let value = desk.client.put(Method::POST, &["registries"], &body).await?;
    let exit = show_registry(desk, format, &value).await?;
    if let Some(name) = by_default {
        writeln!(
            desk.terminal.err,
            "it is read {DEFAULT_SCHEDULE}, as no --schedule was given; `portolan sync {name}` reads it now, \
             `portolan registry set {name} --schedule manual` leaves that to people"
        )?;
    }
    Ok(exit)
}

impl AddArgs {
    fn body(self) -> Result<(CreateRegistry, SealArgs), CliError> {
        let (filters, budget) = (self.filters, self.budget);
        let expression = self.schedule.unwrap_or_else(|| DEFAULT_SCHEDULE.to_owned());
        let body = CreateRegistry {
            id: None,
            name: self.name.parse().map_err(CliError::usage)?,
            url: self.url.parse().map_err(CliError::usage)?,
            sensors: self.sensor,
            ca_bundle_pem: self.ca_file.as_deref().map(read_pem).transpose()?,
            only_ca_bundle: self.only_ca_file,
            repositories: filters.repository,
            tags: filters.tag,
            newest_tags: filters.newest_tags,
            max_tag_age_days: filters.max_tag_age,
            credential_reference: self
                .credential_ref
                .map(|text| text.parse())
                .transpose()
                .map_err(CliError::usage)?,
            concurrency: budget.concurrency,
            requests_per_second: budget.requests_per_second,
            requests_per_day: budget.requests_per_day,
            schedule: self.schedule_args.input(Some(expression), false),
            credential: None,
        };
        Ok((body, self.seal))
    }
}
