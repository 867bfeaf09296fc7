//! `portolan credential list`

use super::state::{recipient, state};
use crate::cli::Exit;
use crate::cli::failure::CliError;
use crate::cli::operate::Desk;
use crate::cli::output::{ListArgs, Table, ago, print_items};
use crate::web::api::credentials::CredentialView;

pub(super) async fn list(desk: Desk<'_>, args: &ListArgs) -> Result<Exit, CliError> {
    let listing = desk.client.list(&["credentials"], &[], args.limit()).await?;
    let now = desk.clock.now();
    print_items(desk.terminal, args.show.output, listing, |items| {
        let mut table = Table::new(&[
            "REGISTRY",
            "KIND",
            "VERSION",
            "SENSORS",
            "STATE",
            "LAST USED",
            "ENDS",
        ]);
        for item in items {
            let shown: CredentialView = desk.client.view(item)?;
            table.row([
                shown.registry.clone(),
                shown.reference.clone().unwrap_or_else(|| shown.kind.clone()),
                shown
                    .version
                    .map_or_else(String::new, |version| version.to_string()),
                sensors(&shown),
                state(&shown),
                shown
                    .last_used_at
                    .map_or_else(|| "never".to_owned(), |at| ago(at, now)),
                shown
                    .expires_at
                    .map_or_else(String::new, |end| super::show::ends(end, now)),
            ]);
        }
        Ok(table)
    })?;
    Ok(Exit::Done)
}

fn sensors(shown: &CredentialView) -> String {
    let told = shown.recipients.iter().map(|one| match one.state.as_str() {
        "sealed" => one.sensor.clone(),
        other => format!("{} ({})", one.sensor, recipient(other)),
    });
    told.collect::<Vec<_>>().join(", ")
}
