//! How webhooks and deliveries are shown.

use jiff::Timestamp;
use serde_json::Value;

use crate::cli::Exit;
use crate::cli::failure::CliError;
use crate::cli::operate::Desk;
use crate::cli::output::{Format, ListArgs, Sheet, Table, ago, moment, print_items, print_one};
use crate::web::api::webhooks::{DeliveryView, Webhook, WebhookKeys};

pub(super) fn print(desk: &mut Desk<'_>, format: Format, value: &Value) -> Result<Exit, CliError> {
    let webhook: Webhook = desk.client.view(value)?;
    let now = desk.clock.now();
    print_one(desk.terminal, format, value, || {
        let mut sheet = Sheet::new();
        fill(&mut sheet, &webhook, now);
        Ok(sheet)
    })?;
    Ok(Exit::Done)
}

/// With all that is secret.
pub(super) fn print_keys(desk: &mut Desk<'_>, format: Format, value: &Value) -> Result<Exit, CliError> {
    let keys: WebhookKeys = desk.client.view(value)?;
    let now = desk.clock.now();
    print_one(desk.terminal, format, value, || {
        let mut sheet = Sheet::new();
        let previous = keys
            .previous_until
            .map(|until| format!("signs too until {}", moment(until)));
        let webhook = Webhook {
            url: keys.whole_url,
            ..keys.webhook
        };
        fill(&mut sheet, &webhook, now);
        sheet
            .add("signing key", keys.signing_key)
            .add("key before", keys.previous_signing_key)
            .add("", previous);
        Ok(sheet)
    })?;
    Ok(Exit::Done)
}

fn fill(sheet: &mut Sheet, webhook: &Webhook, now: Timestamp) {
    let failing = webhook.failing_since.map(|since| {
        let attempts = webhook.attempts;
        let times = if attempts == 1 { "once" } else { "times" };
        let count = if attempts == 1 {
            String::new()
        } else {
            format!("{attempts} ")
        };
        format!("tried {count}{times} in vain since {}", moment(since))
    });
    let next = webhook
        .next_try_at
        .map(|at| format!("tried again at {}", moment(at)));
    let missing = match webhook.behind {
        0 => "nothing".to_owned(),
        1 => "1 entry of the change feed".to_owned(),
        many => format!("{many} entries of the change feed"),
    };
    sheet
        .add("name", webhook.name.clone())
        .add("id", webhook.id.clone())
        .add("url", webhook.url.clone())
        .add("told of", told_of(webhook))
        .add("state", state(webhook))
        .add("", advice(webhook))
        .add("message", failing)
        .add("", next)
        .add("still to come", missing)
        .add(
            "last delivery",
            webhook
                .last_success_at
                .map_or_else(|| "never".to_owned(), |at| ago(at, now)),
        )
        .add("key since", moment(webhook.signing_key_since))
        .add(
            "added",
            format!("{} by {}", moment(webhook.created_at), webhook.created_by),
        )
        .add("changed", moment(webhook.changed_at));
}

fn told_of(webhook: &Webhook) -> String {
    match (&webhook.registry, &webhook.registry_id) {
        (Some(name), _) => name.clone(),
        (None, Some(_)) => "a registry that was removed".to_owned(),
        (None, None) => "all registries".to_owned(),
    }
}

fn state(webhook: &Webhook) -> String {
    match &webhook.why {
        Some(why) => format!("{}: {why}", webhook.state),
        None => webhook.state.clone(),
    }
}

/// What to do about a webhook that is disabled.
fn advice(webhook: &Webhook) -> Option<String> {
    let (said, option) = match webhook.why.as_deref()? {
        "gone" => (
            "the endpoint answered that it is gone for good (410); give it another URL, or remove it;",
            "",
        ),
        "undeliverable" => (
            "a message could not be delivered for a day; look at its deliveries;",
            "",
        ),
        "forgotten" => ("what it was not told of is not kept any more;", " --skip"),
        _ => return None,
    };
    let name = &webhook.name;
    Some(format!("{said} then `portolan webhook resume {name}{option}`"))
}

pub(super) async fn list(desk: Desk<'_>, args: &ListArgs) -> Result<Exit, CliError> {
    let listing = desk.client.list(&["webhooks"], &[], args.limit()).await?;
    let now = desk.clock.now();
    print_items(desk.terminal, args.show.output, listing, |items| {
        let mut table = Table::new(&["NAME", "STATE", "TOLD OF", "TO COME", "LAST DELIVERY", "URL"]);
        for item in items {
            let webhook: Webhook = desk.client.view(item)?;
            let trying = webhook.attempts > 0 && webhook.state == "active";
            let state = if trying {
                format!("active: {} in vain", webhook.attempts)
            } else {
                state(&webhook)
            };
            table.row([
                webhook.name.clone(),
                state,
                told_of(&webhook),
                webhook.behind.to_string(),
                webhook
                    .last_success_at
                    .map_or_else(|| "never".to_owned(), |at| ago(at, now)),
                webhook.url,
            ]);
        }
        Ok(table)
    })?;
    Ok(Exit::Done)
}

pub(super) async fn deliveries(desk: Desk<'_>, webhook: &str, args: &ListArgs) -> Result<Exit, CliError> {
    let path = ["webhooks", webhook, "deliveries"];
    let listing = desk.client.list(&path, &[], args.limit()).await?;
    print_items(desk.terminal, args.show.output, listing, |items| {
        let mut table = Table::new(&["AT", "RESULT", "STATUS", "TRY", "CHANGES", "TOOK", "MESSAGE"]);
        for item in items {
            let delivery: DeliveryView = desk.client.view(item)?;
            let result = match (delivery.failure, delivery.detail) {
                (None, _) => "arrived".to_owned(),
                (Some(word), None) => word,
                (Some(word), Some(detail)) => format!("{word}: {detail}"),
            };
            let changes = if delivery.test {
                "test".to_owned()
            } else {
                delivery.changes.to_string()
            };
            table.row([
                moment(delivery.at),
                result,
                delivery
                    .status
                    .map_or_else(|| "-".to_owned(), |status| status.to_string()),
                delivery.attempt.to_string(),
                changes,
                format!("{} ms", delivery.took_ms),
                delivery.message,
            ]);
        }
        Ok(table)
    })?;
    Ok(Exit::Done)
}
