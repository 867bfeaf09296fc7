//! `portolan diff`

use super::Exit;
use super::failure::CliError;
use super::operate::Desk;
use super::output::{DigestArgs, ListArgs, Table, moment, print_items};
use super::past::PastTime;
use crate::web::api::history::TagDifferenceView;

/// Flags of `portolan diff`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
What became of each tag, whatever happened in between: one that moved and moved back is not listed. Changes count from when they were noticed.

Examples:
  portolan diff gitlab --since 2d
  portolan diff gitlab --since 2026-03-31T08:00:00Z -o json")]
pub struct DiffArgs {
    /// Registry, by name or id
    registry: String,
    /// Compare with this time: 2026-03-31T08:00:00Z, 2026-03-31, or how long ago: 2d, 6h, 30m
    #[arg(long, value_name = "TIME")]
    since: PastTime,
    #[command(flatten)]
    digests: DigestArgs,
    #[command(flatten)]
    list: ListArgs,
}

pub(super) async fn list(desk: Desk<'_>, args: DiffArgs) -> Result<Exit, CliError> {
    let since = args.since.from(desk.clock.now());
    let asked = since.to_string();
    let query = [("since", Some(asked.as_str()))];
    let path = ["registries", args.registry.as_str(), "changes"];
    let listing = desk.client.list(&path, &query, args.list.limit()).await?;
    args.digests.apply(desk.terminal);
    let known_from = listing.known_from;
    print_items(desk.terminal, args.list.show.output, listing, |items| {
        let mut table = Table::new(&["REPOSITORY", "TAG", "CHANGE", "FROM", "TO", "NOTICED"]);
        for item in items {
            let found: TagDifferenceView = desk.client.view(item)?;
            let digest = |digest: Option<String>| {
                digest.map_or_else(String::new, |digest| args.digests.digest(&digest))
            };
            table.row([
                found.repository,
                found.tag,
                found.change.replace('_', " "),
                digest(found.from),
                digest(found.to),
                moment(found.noticed_at),
            ]);
        }
        Ok(table)
    })?;
    if known_from.is_none_or(|known_from| since < known_from) {
        let registry = &args.registry;
        let known = known_from.map_or_else(
            || format!("no run has seen all of {registry} yet"),
            |known_from| {
                format!(
                    "all of {registry} was seen for the first time at {}",
                    moment(known_from)
                )
            },
        );
        writeln!(
            desk.terminal.err,
            "note: {known}: what was there before, and not known yet, is listed as appeared"
        )?;
    }
    Ok(Exit::Done)
}
