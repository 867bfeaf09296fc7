//! `portolan where`

use super::Exit;
use super::failure::CliError;
use super::operate::Desk;
use super::output::{ListArgs, Table, print_items};
use crate::web::api::placements::PlacementView;

/// Flags of `portolan where`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Nothing is printed for a digest that is known but that no tag reaches any more; one of which nothing is known is an error.

Example:
  portolan where sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a")]
pub struct LocateArgs {
    /// Digest of a manifest or of an image config
    digest: String,
    #[command(flatten)]
    list: ListArgs,
}

pub(super) async fn list(desk: Desk<'_>, args: LocateArgs) -> Result<Exit, CliError> {
    let query = [("digest", Some(args.digest.as_str()))];
    let listing = desk
        .client
        .list(&["placements"], &query, args.list.limit())
        .await?;
    print_items(desk.terminal, args.list.show.output, listing, |items| {
        let mut table = Table::new(&["REFERENCE", "REACHED"]);
        for item in items {
            let placement: PlacementView = desk.client.view(item)?;
            let how = match placement.via.as_str() {
                "tag" => "the tag points to it",
                "parent" => "through what the tag points to",
                "subject" => "refers to what the tag points to",
                other => other,
            };
            table.row([placement.reference, how.to_owned()]);
        }
        Ok(table)
    })?;
    Ok(Exit::Done)
}
