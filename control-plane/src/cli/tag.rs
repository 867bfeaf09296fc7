//! `portolan tag`

use super::Exit;
use super::failure::CliError;
use super::operate::Desk;
use super::output::{DigestArgs, ListArgs, Table, bytes, moment, print_items};
use super::past::PastTime;
use crate::web::api::tags::Tag;

/// What can be done with tags.
#[derive(Debug, clap::Subcommand)]
pub enum TagCommand {
    /// List tags of a repository
    #[command(after_help = "\
With --at, tags as they were known at that time: what a look at the registry, or a push event, had told by then. A time before anything was known of
the repository is refused, and so is one of which too much was forgotten; the first that can be asked for is told.

Examples:
  portolan tag list gitlab/acme/shop
  portolan tag list gitlab/acme/shop --at 2026-03-31T08:00:00Z
  portolan tag list gitlab/acme/shop --at 2d")]
    List {
        /// REGISTRY/REPOSITORY, HOST[:PORT]/REPOSITORY, or a bare name that only one registry has
        repository: String,
        /// As they were then: 2026-03-31T08:00:00Z, 2026-03-31, or how long ago: 2d, 6h, 30m
        #[arg(long, value_name = "TIME")]
        at: Option<PastTime>,
        #[command(flatten)]
        digests: DigestArgs,
        #[command(flatten)]
        list: ListArgs,
    },
}

pub(super) async fn run(desk: Desk<'_>, command: TagCommand) -> Result<Exit, CliError> {
    let TagCommand::List {
        repository,
        at,
        digests,
        list,
    } = command;
    let at = at.map(|at| at.from(desk.clock.now()));
    let asked = at.map(|at| at.to_string());
    let query = [
        ("repository", Some(repository.as_str())),
        ("at", asked.as_deref()),
    ];
    let listing = desk.client.list(&["tags"], &query, list.limit()).await?;
    digests.apply(desk.terminal);
    let known_from = listing.known_from;
    print_items(desk.terminal, list.show.output, listing, |items| {
        // When a tag was first seen is known of those that there are.
        let mut table = if at.is_some() {
            Table::new(&["TAG", "DIGEST", "KIND", "MANIFEST", "SINCE"])
        } else {
            Table::new(&["TAG", "DIGEST", "KIND", "MANIFEST", "SINCE", "FIRST SEEN"])
        };
        for item in items {
            let tag: Tag = desk.client.view(item)?;
            let cells = [
                tag.tag,
                digests.digest(&tag.digest),
                tag.kind.unwrap_or_default(),
                bytes(tag.size),
                moment(tag.since),
            ];
            match tag.first_seen_at {
                Some(first) => {
                    let [name, digest, kind, manifest, since] = cells;
                    table.row([name, digest, kind, manifest, since, moment(first)]);
                }
                None => table.row(cells),
            }
        }
        Ok(table)
    })?;
    match (at, known_from) {
        (Some(at), Some(known_from)) if at < known_from => {
            let known_from = moment(known_from);
            writeln!(
                desk.terminal.err,
                "note: not all tags of that time are known: the whole repository was first listed at {known_from}"
            )?;
        }
        (_, None) => writeln!(
            desk.terminal.err,
            "note: there may be more tags: the whole repository was not listed yet, only some of its tags were looked at"
        )?,
        (_, Some(_)) => {}
    }
    Ok(Exit::Done)
}
