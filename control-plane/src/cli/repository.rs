//! `portolan repository`

use super::Exit;
use super::failure::CliError;
use super::operate::Desk;
use super::output::{ListArgs, Table, moment, print_items};
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
}

pub(super) async fn run(desk: Desk<'_>, command: RepositoryCommand) -> Result<Exit, CliError> {
    let RepositoryCommand::List {
        registry,
        contains,
        vanished,
        list,
    } = command;
    let query = [
        ("registry", registry.as_deref()),
        ("contains", contains.as_deref()),
        ("vanished", vanished.then_some("true")),
    ];
    let listing = desk.client.list(&["repositories"], &query, list.limit()).await?;
    print_items(desk.terminal, list.show.output, listing, |items| {
        let mut table = Table::new(&[
            "REPOSITORY",
            "TAGS",
            "LAST OUTCOME",
            "LAST ATTEMPT",
            "LAST SUCCESS",
            "VANISHED",
        ]);
        for item in items {
            let repository: Repository = desk.client.view(item)?;
            table.row([
                format!("{}/{}", repository.registry, repository.name),
                repository.tags.to_string(),
                repository.outcome,
                moment(repository.last_attempt_at),
                repository
                    .last_success_at
                    .map_or_else(|| "never".to_owned(), moment),
                repository.vanished_at.map_or_else(String::new, moment),
            ]);
        }
        Ok(table)
    })?;
    Ok(Exit::Done)
}
