//! `portolan history`

use super::failure::CliError;
use super::operate::Desk;
use super::output::{DigestArgs, Format, ListArgs, Table, moment, print_items};
use super::{Exit, Terminal};
use crate::web::api::history::LedgerLine;

/// Flags of `portolan history`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A change happened between the two times: when the tag was last known to be as it was, and when it was noticed. A tag that vanished was deleted
in between. NOT BEFORE is when the look began that last saw it: a long list is as old as its beginning. It is empty if nothing was known of the tag,
if what was before has been forgotten, or if the clock was set back in between. LEARNT says what made the sensor look: a push event, a poll (by schedule), a poll that found what no event had told, or a person.
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
    let newest = listing.items.first().cloned();
    print_items(desk.terminal, args.list.show.output, listing, |items| {
        let mut table = Table::new(&[
            "NOTICED",
            "NOT BEFORE",
            "TAG",
            "CHANGE",
            "FROM",
            "TO",
            "LEARNT",
            "SENSOR",
            "RUN",
        ]);
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
                learnt(line.learnt.as_deref()),
                line.sensor.unwrap_or_default(),
                line.run,
            ]);
        }
        Ok(table)
    })?;
    if let Some(newest) = newest.filter(|_| args.list.show.output == Format::Table) {
        tell_deletion(desk.terminal, &args.reference, &desk.client.view(&newest)?)?;
    }
    Ok(Exit::Done)
}

/// Says of a tag that was asked for and is gone when that was.
fn tell_deletion(terminal: &mut Terminal, reference: &str, newest: &LedgerLine) -> Result<(), CliError> {
    if newest.change != "vanished" || !reference.ends_with(&format!(":{}", newest.tag)) {
        return Ok(());
    }
    let noticed = moment(newest.noticed_at);
    match newest.not_before.map(moment) {
        Some(seen) => writeln!(
            terminal.err,
            "it was last seen at {seen}, and deleted between {seen} and {noticed}"
        )?,
        None => writeln!(terminal.err, "it was deleted before {noticed}")?,
    }
    Ok(())
}

/// What made the sensor look.
fn learnt(how: Option<&str>) -> String {
    match how {
        None => "",
        Some("manual") => "by hand",
        Some("event") => "event",
        Some("schedule") => "poll",
        Some("reconcile") => "poll, no event",
        Some(other) => other,
    }
    .to_owned()
}
