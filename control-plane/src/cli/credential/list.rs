//! `portolan credential list`

use std::io::Write as _;

use jiff::Timestamp;
use serde_json::Value;

use super::state::{recipient, state, to_do};
use crate::cli::Exit;
use crate::cli::failure::CliError;
use crate::cli::operate::Desk;
use crate::cli::output::{Format, ListArgs, Table, ago, print_items};
use crate::web::api::credentials::CredentialView;

/// Things to do that are said beside a list.
const NOTES: usize = 10;

pub(super) async fn list(desk: Desk<'_>, args: &ListArgs) -> Result<Exit, CliError> {
    let listing = desk.client.list(&["credentials"], &[], args.limit()).await?;
    let now = desk.clock.now();
    let to_do = if args.show.output == Format::Table {
        things_to_do(&desk, &listing.items, now)?
    } else {
        Vec::new()
    };
    print_items(desk.terminal, args.show.output, listing, |items| {
        let mut table = Table::new(&[
            "REGISTRY",
            "KIND",
            "REFERENCE",
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
                shown.kind.clone(),
                shown.reference.clone().unwrap_or_default(),
                versions(&shown),
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
    for line in to_do.iter().take(NOTES) {
        writeln!(desk.terminal.err, "note: {line}")?;
    }
    if to_do.len() > NOTES {
        writeln!(
            desk.terminal.err,
            "note: there is more to be done: see `portolan credential show REGISTRY`"
        )?;
    }
    Ok(Exit::Done)
}

/// What is to be done about these credentials, with the registry's name before it.
fn things_to_do(desk: &Desk<'_>, items: &[Value], now: Timestamp) -> Result<Vec<String>, CliError> {
    let mut lines = Vec::new();
    for item in items {
        let shown: CredentialView = desk.client.view(item)?;
        let all = to_do(&shown, now).into_iter();
        lines.extend(all.map(|line| format!("{}: {line}", shown.registry)));
    }
    Ok(lines)
}

/// The version in use, and the one that is kept until that has worked.
fn versions(shown: &CredentialView) -> String {
    match (shown.version, shown.former_version) {
        (Some(version), Some(former)) => format!("{version} ({former} kept)"),
        (Some(version), None) => version.to_string(),
        (None, _) => String::new(),
    }
}

fn sensors(shown: &CredentialView) -> String {
    let told = shown.recipients.iter().map(|one| match one.state.as_str() {
        "sealed" | "local" => one.sensor.clone(),
        other => format!("{} ({})", one.sensor, recipient(other)),
    });
    told.collect::<Vec<_>>().join(", ")
}
