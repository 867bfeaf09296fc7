//! `portolan audit list`

use crate::cli::Exit;
use crate::cli::failure::CliError;
use crate::cli::operate::Desk;
use crate::cli::output::{ListArgs, Table, moment, print_items};
use crate::web::api::audit::AuditLine;

pub(super) async fn list(desk: Desk<'_>, args: ListArgs) -> Result<Exit, CliError> {
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
