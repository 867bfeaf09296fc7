//! `portolan history`

use super::Exit;
use super::failure::CliError;
use super::operate::Desk;
use super::output::{DigestArgs, ListArgs, Table, moment, print_items};
use crate::web::api::history::LedgerLine;

/// Flags of `portolan history`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A change happened between the two times: when the repository was last seen without it, and when it was noticed.
A tag that was left out still existed then: the registry's filter does not want it any more.

Examples:
  portolan history gitlab/acme/shop:latest
  portolan history gitlab/acme/shop --limit 20")]
pub struct HistoryArgs {
    /// REGISTRY/REPOSITORY:TAG for one tag, REGISTRY/REPOSITORY for all
    reference: String,
    #[command(flatten)]
    digests: DigestArgs,
    #[command(flatten)]
    list: ListArgs,
}

pub(super) async fn list(desk: Desk<'_>, args: HistoryArgs) -> Result<Exit, CliError> {
    let query = [("reference", Some(args.reference.as_str()))];
    let listing = desk.client.list(&["history"], &query, args.list.limit()).await?;
    args.digests.apply(desk.terminal);
    print_items(desk.terminal, args.list.show.output, listing, |items| {
        let mut table = Table::new(&["NOTICED", "NOT BEFORE", "TAG", "CHANGE", "FROM", "TO", "RUN"]);
        for item in items {
            let line: LedgerLine = desk.client.view(item)?;
            let digest = |digest: Option<String>| {
                digest.map_or_else(String::new, |digest| args.digests.digest(&digest))
            };
            table.row([
                moment(line.noticed_at),
                line.not_before.map_or_else(String::new, moment),
                line.tag,
                line.change.replace('_', " "),
                digest(line.from),
                digest(line.to),
                line.run,
            ]);
        }
        Ok(table)
    })?;
    Ok(Exit::Done)
}
