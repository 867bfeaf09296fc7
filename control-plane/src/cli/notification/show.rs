//! `portolan registry show --webhook`

use std::io::Write as _;

use portolan_shared::events::Sender;
use serde_json::Value;

use super::snippet::{Snippet, Target};
use super::{agent, registry};
use crate::cli::Exit;
use crate::cli::failure::CliError;
use crate::cli::operate::Desk;
use crate::cli::output::{Format, Sheet, Table, moment, print_one};
use crate::web::api::registries::{EventCountView, RegistryWebhookView};

/// Prints what to write where. `name` is the registry's.
pub(in crate::cli) fn show_webhook(
    desk: &mut Desk<'_>,
    format: Format,
    name: &str,
    value: &Value,
) -> Result<Exit, CliError> {
    let webhook: RegistryWebhookView = desk.client.view(value)?;
    if format != Format::Table {
        print_one(desk.terminal, format, value, || Ok(Sheet::new()))?;
        return Ok(Exit::Done);
    }
    let sender: Sender = webhook.sender.parse().map_err(|error| desk.client.odd(error))?;
    let own = desk.client.control_plane().join(&webhook.path);
    let own = own.map_err(|error| desk.client.odd(error.to_string()))?;
    let out = &mut desk.terminal.out;
    if !webhook.received.is_empty() {
        writeln!(out, "{}", received(&webhook.received).render(None))?;
    }
    if registry::is_in_a_private_network(sender) {
        write_listeners(out, sender, name, &webhook)?;
    }
    writeln!(
        out,
        "If the registry can reach the control plane: it notifies it.\n"
    )?;
    let target = Target {
        url: own.as_str(),
        secret: &webhook.secret,
    };
    write_snippet(out, &registry::snippet(sender, target))?;
    writeln!(
        out,
        "Then: portolan registry set {name} --schedule on-push\nThe secrets follow from this control plane's key: show them to nobody who need not know them."
    )?;
    Ok(Exit::Done)
}

/// What came in so far.
fn received(counts: &[EventCountView]) -> Table {
    let mut table = Table::new(&[
        "RECEIVED AT",
        "EVENTS",
        "IGNORED",
        "REFUSED",
        "GIVEN UP",
        "LAST",
        "LAST REFUSED",
    ]);
    for count in counts {
        let refused = count.last_refused_at.map(moment).unwrap_or_default();
        table.row([
            count.door.clone(),
            count.accepted.to_string(),
            count.ignored.to_string(),
            count.refused.to_string(),
            count.given_up.to_string(),
            count.last_at.map(moment).unwrap_or_default(),
            format!("{refused} {}", count.last_refused.as_deref().unwrap_or_default())
                .trim()
                .to_owned(),
        ]);
    }
    table
}

/// The way by a sensor.
fn write_listeners(
    out: &mut dyn std::io::Write,
    sender: Sender,
    name: &str,
    webhook: &RegistryWebhookView,
) -> Result<(), CliError> {
    writeln!(
        out,
        "Inside the private network: the registry notifies a sensor, the sensor tells the control plane.\n"
    )?;
    for snippet in agent::listener(name, &webhook.sender, &webhook.listener_secret) {
        write_snippet(out, &snippet)?;
    }
    let listeners = match webhook.listeners.as_slice() {
        [] => vec![format!("https://SENSOR-HOST:5443/notify/{name}")],
        listeners => listeners.iter().map(|listener| listener.url.clone()).collect(),
    };
    for url in &listeners {
        let target = Target {
            url,
            secret: &webhook.listener_secret,
        };
        write_snippet(out, &registry::snippet(sender, target))?;
    }
    Ok(())
}

fn write_snippet(out: &mut dyn std::io::Write, snippet: &Snippet) -> Result<(), CliError> {
    writeln!(out, "# {}\n{}\n", snippet.place, snippet.text)?;
    Ok(())
}
