//! `portolan registry set`

use std::path::PathBuf;

use reqwest::Method;

use super::budget::BudgetArgs;
use super::filters::FilterArgs;
use super::login::set_login;
use super::preview::print_preview;
use super::schedule::{Expression, ScheduleArgs};
use super::show::show_registry;
use crate::cli::Exit;
use crate::cli::client::read_pem;
use crate::cli::credential::tell_what_to_do;
use crate::cli::failure::CliError;
use crate::cli::operate::Desk;
use crate::cli::output::ShowArgs;
use crate::cli::sealing::SealArgs;
use crate::web::api::registries::ChangeRegistry;

/// Flags of `portolan registry set`.
#[derive(Debug, clap::Args)]
pub struct SetArgs {
    /// Name or id
    registry: String,
    /// New name
    #[arg(long)]
    name: Option<String>,
    /// New address
    #[arg(long, conflicts_with = "login")]
    url: Option<String>,
    /// New sensors, the preferred first
    #[arg(long, value_name = "SENSOR", conflicts_with = "login")]
    sensor: Vec<String>,
    /// New place of the credential on the sensor
    #[arg(long, value_name = "REF", conflicts_with_all = ["anonymous", "login"])]
    credential_ref: Option<String>,
    /// Read it without a credential
    #[arg(long, conflicts_with = "login")]
    anonymous: bool,
    #[command(flatten)]
    seal: SealArgs,
    /// Have a sensor try the login before it is stored, as it is without a word; takes an earlier --no-test back
    #[arg(long, requires = "login", overrides_with = "no_test")]
    test: bool,
    /// Store the login without having a sensor try it first
    #[arg(long, requires = "login", overrides_with = "test")]
    no_test: bool,
    /// New authorities
    #[arg(long, value_name = "FILE", conflicts_with_all = ["no_ca_file", "login"])]
    ca_file: Option<PathBuf>,
    /// Trust the sensor's system store alone
    #[arg(long, conflicts_with = "login")]
    no_ca_file: bool,
    /// Trust the given authorities alone, or not
    #[arg(
        long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
        conflicts_with_all = ["no_ca_file", "login"]
    )]
    only_ca_file: Option<bool>,
    #[command(flatten)]
    filters: FilterArgs,
    /// Want all repositories
    #[arg(long, conflicts_with = "repository")]
    all_repositories: bool,
    /// Want tags of all names: takes --tag back
    #[arg(long, conflicts_with = "tag")]
    all_tags: bool,
    /// Want however many tags of a repository: takes --newest-tags back
    #[arg(long, conflicts_with = "newest_tags")]
    any_tag_count: bool,
    /// Want tags of whatever age: takes --max-tag-age back
    #[arg(long, conflicts_with = "max_tag_age")]
    any_tag_age: bool,
    #[command(flatten)]
    budget: BudgetArgs,
    /// Do not bound the requests per second
    #[arg(long, conflicts_with = "requests_per_second")]
    any_requests_per_second: bool,
    /// Do not bound the requests per day
    #[arg(long, conflicts_with = "requests_per_day")]
    any_requests_per_day: bool,
    /// New schedule, which counts at once; see below
    #[arg(long, value_name = "SCHEDULE", value_parser = Expression, hide_possible_values = true)]
    schedule: Option<String>,
    #[command(flatten)]
    schedule_args: ScheduleArgs,
    /// Start at any time: takes --blackout back
    #[arg(long, conflicts_with = "blackout")]
    no_blackouts: bool,
    /// Change nothing: say what the filters would match of the inventory of the last run
    #[arg(long, conflicts_with = "login")]
    preview: bool,
    #[command(flatten)]
    show: ShowArgs,
}

pub(super) async fn set(desk: &mut Desk<'_>, args: SetArgs) -> Result<Exit, CliError> {
    let (format, preview, registry) = (args.show.output, args.preview, args.registry.clone());
    let (moved, tested) = (
        !args.sensor.is_empty() || args.url.is_some(),
        args.test || !args.no_test,
    );
    let (body, seal) = args.body()?;
    if preview {
        let path = ["registries", &registry, "preview"];
        let value = desk.client.put(Method::POST, &path, &body).await?;
        return print_preview(desk, format, &value);
    }
    if seal.are_given() {
        return set_login(desk, format, &registry, &body, &seal, tested).await;
    }
    let path = ["registries", &registry];
    let value = desk.client.put(Method::PATCH, &path, &body).await?;
    let exit = show_registry(desk, format, &value).await?;
    if moved && let Some(id) = value["id"].as_str() {
        tell_what_to_do(desk, id).await?;
    }
    Ok(exit)
}

impl SetArgs {
    fn body(self) -> Result<(ChangeRegistry, SealArgs), CliError> {
        let credential = self
            .credential_ref
            .map(|text| text.parse())
            .transpose()
            .map_err(CliError::usage)?;
        let bundle = self.ca_file.as_deref().map(read_pem).transpose()?;
        let (filters, budget) = (self.filters, self.budget);
        let body = ChangeRegistry {
            name: self
                .name
                .map(|text| text.parse())
                .transpose()
                .map_err(CliError::usage)?,
            url: self
                .url
                .map(|text| text.parse())
                .transpose()
                .map_err(CliError::usage)?,
            sensors: given(self.sensor),
            ca_bundle_pem: new_or_none(bundle, self.no_ca_file),
            only_ca_bundle: self.only_ca_file.or(self.no_ca_file.then_some(false)),
            repositories: given(filters.repository).or(self.all_repositories.then(Vec::new)),
            tags: given(filters.tag).or(self.all_tags.then(Vec::new)),
            newest_tags: new_or_none(filters.newest_tags, self.any_tag_count),
            max_tag_age_days: new_or_none(filters.max_tag_age, self.any_tag_age),
            credential_reference: new_or_none(credential, self.anonymous),
            concurrency: budget.concurrency,
            requests_per_second: new_or_none(budget.requests_per_second, self.any_requests_per_second),
            requests_per_day: new_or_none(budget.requests_per_day, self.any_requests_per_day),
            schedule: self.schedule_args.input(self.schedule, self.no_blackouts),
        };
        Ok((body, self.seal))
    }
}

fn given(list: Vec<String>) -> Option<Vec<String>> {
    (!list.is_empty()).then_some(list)
}

/// A new value, or that there is to be none; or nothing of it is said.
#[expect(clippy::option_option, reason = "the members of the change are so")]
fn new_or_none<T>(new: Option<T>, none: bool) -> Option<Option<T>> {
    new.map(Some).or(none.then_some(None))
}
