//! `portolan tag`

use super::Exit;
use super::failure::CliError;
use super::operate::Desk;
use super::output::{DigestArgs, ListArgs, Table, bytes, moment, print_items};
use crate::web::api::tags::Tag;

/// What can be done with tags.
#[derive(Debug, clap::Subcommand)]
pub enum TagCommand {
    /// List tags of a repository
    #[command(after_help = "Example:\n  portolan tag list gitlab/acme/shop")]
    List {
        /// REGISTRY/REPOSITORY, HOST[:PORT]/REPOSITORY, or a bare name that only one registry has
        repository: String,
        #[command(flatten)]
        digests: DigestArgs,
        #[command(flatten)]
        list: ListArgs,
    },
}

pub(super) async fn run(desk: Desk<'_>, command: TagCommand) -> Result<Exit, CliError> {
    let TagCommand::List {
        repository,
        digests,
        list,
    } = command;
    let query = [("repository", Some(repository.as_str()))];
    let listing = desk.client.list(&["tags"], &query, list.limit()).await?;
    digests.apply(desk.terminal);
    print_items(desk.terminal, list.show.output, listing, |items| {
        let mut table = Table::new(&["TAG", "DIGEST", "KIND", "MANIFEST", "SINCE", "FIRST SEEN"]);
        for item in items {
            let tag: Tag = desk.client.view(item)?;
            table.row([
                tag.tag,
                digests.digest(&tag.digest),
                tag.kind.unwrap_or_default(),
                bytes(tag.size),
                moment(tag.since),
                moment(tag.first_seen_at),
            ]);
        }
        Ok(table)
    })?;
    Ok(Exit::Done)
}
