//! `portolan repository`

use jiff::Timestamp;
use serde_json::Value;

use super::Exit;
use super::client::Client;
use super::failure::CliError;
use super::operate::Desk;
use super::output::{ListArgs, Sheet, ShowArgs, Table, age, moment, print_items, print_one};
use crate::web::api::repositories::Repository;

/// What can be done with repositories.
#[derive(Debug, clap::Subcommand)]
pub enum RepositoryCommand {
    /// List repositories
    #[command(after_help = "Example:\n  portolan repository list --registry gitlab --contains shop")]
    List {
        /// Only of this registry
        #[arg(long)]
        registry: Option<String>,
        /// Only names that contain this, in any case
        #[arg(long, value_name = "TEXT")]
        contains: Option<String>,
        /// Also those that have vanished
        #[arg(long)]
        vanished: bool,
        #[command(flatten)]
        list: ListArgs,
    },
    /// Show how fresh what is known of a repository is
    #[command(after_help = "\
Its tags: `portolan tag list`. What a run could not see of it: `portolan run show`.

Example:
  portolan repository show gitlab/acme/shop")]
    Show {
        /// REGISTRY/REPOSITORY, HOST[:PORT]/REPOSITORY, or a bare name that only one registry has
        repository: String,
        #[command(flatten)]
        show: ShowArgs,
    },
}

pub(super) async fn run(desk: Desk<'_>, command: RepositoryCommand) -> Result<Exit, CliError> {
    match command {
        RepositoryCommand::List {
            registry,
            contains,
            vanished,
            list,
        } => {
            let query = [
                ("registry", registry.as_deref()),
                ("contains", contains.as_deref()),
                ("vanished", vanished.then_some("true")),
            ];
            let listing = desk.client.list(&["repositories"], &query, list.limit()).await?;
            print_items(desk.terminal, list.show.output, listing, |items| {
                table(&desk.client, items)
            })?;
        }
        RepositoryCommand::Show { repository, show } => {
            let query = [("repository", Some(repository.as_str()))];
            let found = desk.client.list(&["repositories"], &query, 1).await?;
            let Some(value) = found.items.first() else {
                return Err(desk.client.odd("no repository, and no word of that".to_owned()));
            };
            print_one(desk.terminal, show.output, value, || {
                Ok(sheet(&desk.client.view(value)?))
            })?;
        }
    }
    Ok(Exit::Done)
}

fn table(client: &Client, items: &[Value]) -> Result<Table, CliError> {
    let mut table = Table::new(&[
        "REPOSITORY",
        "TAGS",
        "STATE",
        "AGE",
        "LAST OUTCOME",
        "LAST ATTEMPT",
        "LAST SUCCESS",
        "VANISHED",
    ]);
    for item in items {
        let repository: Repository = client.view(item)?;
        table.row([
            format!("{}/{}", repository.registry, repository.name),
            repository.tags.to_string(),
            repository.freshness.state,
            age(repository.freshness.age_seconds),
            repository.outcome,
            moment(repository.last_attempt_at),
            repository
                .last_success_at
                .map_or_else(|| "never".to_owned(), moment),
            repository.vanished_at.map_or_else(String::new, moment),
        ]);
    }
    Ok(table)
}

fn sheet(repository: &Repository) -> Sheet {
    let freshness = &repository.freshness;
    let mut sheet = Sheet::new();
    sheet
        .add("name", format!("{}/{}", repository.registry, repository.name))
        .add("tags", repository.tags.to_string())
        .add("state", format!("{}: {}", freshness.state, freshness.words))
        .add("age", age(freshness.age_seconds))
        .add("last outcome", repository.outcome.clone())
        .add("last attempt", moment(repository.last_attempt_at))
        .add("last success", time(repository.last_success_at, "never"))
        .add("last event", time(freshness.last_event_at, "never"))
        .add("next start", time(freshness.next_start_at, "none by itself"))
        .add("first seen", moment(repository.first_seen_at))
        .add("vanished", repository.vanished_at.map(moment));
    sheet
}

fn time(time: Option<Timestamp>, none: &str) -> String {
    time.map_or_else(|| none.to_owned(), moment)
}
