//! What is done.

use std::io::{BufRead as _, Read as _, Write as _};

use portolan_shared::model::limits;
use reqwest::Method;
use serde_json::Value;

use super::command::WebhookCommand;
use super::sheet::{self, print, print_keys};
use crate::cli::Exit;
use crate::cli::failure::CliError;
use crate::cli::operate::Desk;
use crate::cli::output::{Format, Sheet, print_one};
use crate::web::api::webhooks::{ChangeWebhook, CreateWebhook, TestedView, WebhookKeys};

pub(in crate::cli) async fn run(mut desk: Desk<'_>, command: WebhookCommand) -> Result<Exit, CliError> {
    use WebhookCommand as Do;
    match command {
        Do::Add {
            name,
            url,
            registry,
            show,
        } => {
            let url = url_of(&mut desk, url)?;
            let body = CreateWebhook { name, url, registry };
            let value = desk.client.put(Method::POST, &["webhooks"], &body).await?;
            print_key(&mut desk, show.output, &value)
        }
        Do::List(args) => sheet::list(desk, &args).await,
        Do::Show {
            webhook,
            secret: false,
            show,
        } => {
            let value = desk.client.get(&["webhooks", &webhook], &[]).await?;
            print(&mut desk, show.output, &value)
        }
        Do::Show {
            webhook,
            secret: true,
            show,
        } => {
            let path = ["webhooks", &webhook, "signing-keys"];
            let value = desk.client.get(&path, &[]).await?;
            print_keys(&mut desk, show.output, &value)
        }
        Do::Set {
            webhook,
            name,
            url,
            registry,
            all_registries,
            show,
        } => {
            let body = ChangeWebhook {
                name,
                url: url.map(|url| url_of(&mut desk, url)).transpose()?,
                registry: registry.map(Some).or(all_registries.then_some(None)),
            };
            let value = desk
                .client
                .put(Method::PATCH, &["webhooks", &webhook], &body)
                .await?;
            print(&mut desk, show.output, &value)
        }
        Do::Remove { webhook, confirm } => {
            let question = format!("Remove webhook {webhook}?");
            confirm.ask(desk.terminal, &question)?;
            desk.client.delete(&["webhooks", &webhook]).await?;
            Ok(Exit::Done)
        }
        Do::Pause { webhook, show } => {
            let value = desk.client.act(&["webhooks", &webhook, "pause"]).await?;
            print(&mut desk, show.output, &value)
        }
        Do::Resume { webhook, skip, show } => {
            let path = ["webhooks", &webhook, "resume"];
            let skip = skip.then_some("true");
            let value = desk.client.act_with(&path, &[("skip", skip)]).await?;
            print(&mut desk, show.output, &value)
        }
        Do::Rotate { webhook, show } => {
            let value = desk.client.act(&["webhooks", &webhook, "rotate"]).await?;
            print_key(&mut desk, show.output, &value)
        }
        Do::Test { webhook, show } => test(&mut desk, &webhook, show.output).await,
        Do::Deliveries { webhook, list } => sheet::deliveries(desk, &webhook, &list).await,
    }
}

/// A URL that was given; `-` stands for one on standard input, where neither the list of processes nor the shell's history shows it.
fn url_of(desk: &mut Desk<'_>, given: String) -> Result<String, CliError> {
    if given != "-" {
        return Ok(given);
    }
    let mut line = String::new();
    // One byte more than may be, and the end of the line: what is longer is refused as what it is.
    let most = limits::WEBHOOK_URL_BYTES as u64 + 2;
    (&mut desk.terminal.input).take(most).read_line(&mut line)?;
    match line.trim() {
        "" => Err(CliError::Usage("no URL was given on standard input".to_owned())),
        url => Ok(url.to_owned()),
    }
}

/// Prints a new key by itself, so that it can be piped.
fn print_key(desk: &mut Desk<'_>, format: Format, value: &Value) -> Result<Exit, CliError> {
    if format != Format::Table {
        print_one(desk.terminal, format, value, || Ok(Sheet::new()))?;
        return Ok(Exit::Done);
    }
    let made: WebhookKeys = desk.client.view(value)?;
    writeln!(desk.terminal.out, "{}", made.signing_key)?;
    desk.terminal.out.flush()?;
    let webhook = made.webhook;
    writeln!(
        desk.terminal.err,
        "Messages to {} ({}) are signed with this key. Try it out: `portolan webhook test {}`",
        webhook.name, webhook.url, webhook.name
    )?;
    Ok(Exit::Done)
}

async fn test(desk: &mut Desk<'_>, webhook: &str, format: Format) -> Result<Exit, CliError> {
    let value = desk.client.act(&["webhooks", webhook, "test"]).await?;
    let tested: TestedView = desk.client.view(&value)?;
    let arrived = tested.arrived;
    print_one(desk.terminal, format, &value, || {
        let mut sheet = Sheet::new();
        sheet
            .add(
                "result",
                if arrived { "arrived" } else { "not delivered" }.to_owned(),
            )
            .add("status", tested.status.map(|status| status.to_string()))
            .add("failure", tested.failure)
            .add("", tested.detail)
            .add("took", format!("{} ms", tested.took_ms));
        Ok(sheet)
    })?;
    Ok(if arrived { Exit::Done } else { Exit::Undelivered })
}
