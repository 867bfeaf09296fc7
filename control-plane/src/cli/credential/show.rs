//! `portolan credential show`, and the line of it in `portolan registry show`.

use std::io::Write as _;

use jiff::Timestamp;
use serde_json::Value;

use super::state::{days_left, recipient, state, to_do};
use crate::cli::Exit;
use crate::cli::client::Client;
use crate::cli::failure::CliError;
use crate::cli::operate::Desk;
use crate::cli::output::{Format, Sheet, ago, moment, print_one};
use crate::web::api::credentials::CredentialView;

pub(super) fn show_credential(desk: &mut Desk<'_>, format: Format, value: &Value) -> Result<Exit, CliError> {
    let shown: CredentialView = desk.client.view(value)?;
    let now = desk.clock.now();
    print_one(desk.terminal, format, value, || {
        let mut sheet = Sheet::new();
        sheet
            .add("registry", shown.registry.clone())
            .add("kind", shown.kind.clone())
            .add("place", shown.reference.clone())
            .add("state", state(&shown))
            .add("version", shown.version.map(|version| version.to_string()))
            .add(
                "kept",
                shown.former_version.map(|version| {
                    format!(
                        "version {version}, until version {} has worked",
                        shown.version.unwrap_or_default()
                    )
                }),
            )
            .add("id", shown.id.clone())
            .add("stored", shown.created_at.map(|at| stored(&shown, at)))
            .add("ends", shown.expires_at.map(|end| ends(end, now)));
        sheet.add_all("token service", shown.realm_hosts.clone());
        sheet.add_all("downloads from", shown.storage_hosts.clone());
        if shown.kind == "sealed" {
            sheet.add(
                "worked",
                shown.worked_at.map_or_else(|| "never".to_owned(), moment),
            );
        }
        sheet.add(
            "last used",
            shown
                .last_used_at
                .map_or_else(|| "never".to_owned(), |at| ago(at, now)),
        );
        let sensors = shown.recipients.iter().map(|one| {
            let since = one.since.map(|at| format!(" since {}", moment(at)));
            format!(
                "{}, {}{}",
                one.sensor,
                recipient(&one.state),
                since.unwrap_or_default()
            )
        });
        sheet.add_all("sensors", sensors);
        sheet.add_all("to do", to_do(&shown, now));
        Ok(sheet)
    })?;
    Ok(Exit::Done)
}

/// The credential of a registry, if it has one.
pub(in crate::cli) async fn credential_of(
    client: &Client,
    registry: &str,
) -> Result<Option<CredentialView>, CliError> {
    match client.get(&["registries", registry, "credential"], &[]).await {
        Ok(value) => Ok(Some(client.view(&value)?)),
        Err(error) if error.exit() == Exit::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The credential of a registry in one line.
pub(in crate::cli) fn in_registry(shown: &CredentialView) -> String {
    match &shown.reference {
        Some(reference) => reference.clone(),
        None => format!(
            "sealed, version {}, {}",
            shown.version.unwrap_or_default(),
            state(shown)
        ),
    }
}

/// Says what a change of the registry makes necessary, if it has a sealed credential.
pub(in crate::cli) async fn tell_what_to_do(desk: &mut Desk<'_>, registry: &str) -> Result<(), CliError> {
    let Some(shown) = credential_of(&desk.client, registry).await? else {
        return Ok(());
    };
    for line in to_do(&shown, desk.clock.now()) {
        writeln!(desk.terminal.err, "credential: {line}")?;
    }
    Ok(())
}

fn stored(shown: &CredentialView, at: Timestamp) -> String {
    match &shown.created_by {
        Some(by) => format!("{} by {by}", moment(at)),
        None => moment(at),
    }
}

/// When it ends, with the days that are left.
pub(super) fn ends(end: Timestamp, now: Timestamp) -> String {
    match days_left(end, now) {
        left if left < 0 => format!("{}, over", moment(end)),
        1 => format!("{}, 1 day left", moment(end)),
        left => format!("{}, {left} days left", moment(end)),
    }
}
