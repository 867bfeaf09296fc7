//! `portolan audit`

use super::Exit;
use super::failure::CliError;
use super::operate::Desk;
use super::output::{ListArgs, Table, moment, print_items};
use crate::web::api::audit::AuditLine;

/// What can be done with the audit log.
#[derive(Debug, clap::Subcommand)]
pub enum AuditCommand {
    /// List what was done, newest first
    #[command(after_help = "Example:\n  portolan audit list --limit 20")]
    List(ListArgs),
}

pub(super) async fn run(desk: Desk<'_>, command: AuditCommand) -> Result<Exit, CliError> {
    let AuditCommand::List(args) = command;
    let listing = desk.client.list(&["audit"], &[], args.limit()).await?;
    print_items(desk.terminal, args.show.output, listing, |items| {
        let mut table = Table::new(&["WHEN", "SEVERITY", "ACTOR", "ACTION", "OBJECT", "DETAILS"]);
        for item in items {
            let line: AuditLine = desk.client.view(item)?;
            table.row([
                moment(line.at),
                line.severity,
                line.actor,
                line.action,
                line.object,
                line.details.to_string(),
            ]);
        }
        Ok(table)
    })?;
    Ok(Exit::Done)
}
