//! `portolan sensor invitation`

use std::io::Write as _;

use portolan_shared::model::InvitationId;

use super::Exit;
use super::failure::CliError;
use super::operate::Desk;
use super::output::{ListArgs, Table, moment, print_items};
use crate::web::api::invitations::Invitation;

/// Invitations among which a name is looked for. They live for a day at most, and the newest come first.
const SEARCHED: usize = 10_000;

/// What can be done with enrolment tokens that were made.
#[derive(Debug, clap::Subcommand)]
pub enum InvitationCommand {
    /// List invitations, newest first, without their tokens
    #[command(after_help = "Example:\n  portolan sensor invitation list")]
    List(ListArgs),
    /// Withdraw an invitation that nobody has used yet
    #[command(after_help = "\
Its token opens nothing any more, and its name can be given to another invitation.

Example:
  portolan sensor invitation revoke berlin-1")]
    Revoke {
        /// Id, or the name that its sensor would get
        invitation: String,
    },
}

pub(super) async fn run(desk: Desk<'_>, command: InvitationCommand) -> Result<Exit, CliError> {
    match command {
        InvitationCommand::List(args) => list(desk, &args).await,
        InvitationCommand::Revoke { invitation } => {
            let id = find(&desk, &invitation).await?;
            desk.client.delete(&["invitations", &id]).await?;
            writeln!(desk.terminal.err, "withdrew the invitation {invitation}")?;
            Ok(Exit::Done)
        }
    }
}

async fn list(desk: Desk<'_>, args: &ListArgs) -> Result<Exit, CliError> {
    let listing = desk.client.list(&["invitations"], &[], args.limit()).await?;
    print_items(desk.terminal, args.show.output, listing, |items| {
        let mut table = Table::new(&["SENSOR", "STATE", "MADE", "ENDS", "BY", "ID"]);
        for item in items {
            let invitation: Invitation = desk.client.view(item)?;
            table.row([
                invitation.sensor_name,
                invitation.state,
                moment(invitation.created_at),
                moment(invitation.expires_at),
                invitation.created_by,
                invitation.id,
            ]);
        }
        Ok(table)
    })?;
    Ok(Exit::Done)
}

/// The id of the open invitation for a name. What is an id, or no name of one, is for the control plane to judge.
async fn find(desk: &Desk<'_>, id_or_name: &str) -> Result<String, CliError> {
    if id_or_name.parse::<InvitationId>().is_err() {
        let listing = desk.client.list(&["invitations"], &[], SEARCHED).await?;
        for item in &listing.items {
            let invitation: Invitation = desk.client.view(item)?;
            if invitation.sensor_name == id_or_name && invitation.state == "open" {
                return Ok(invitation.id);
            }
        }
    }
    Ok(id_or_name.to_owned())
}
