//! `portolan sensor show`: what it is, and how it came to be that.

use std::io::Write as _;

use serde_json::{Value, json};

use super::sheet::print;
use crate::cli::Exit;
use crate::cli::client::Listing;
use crate::cli::failure::CliError;
use crate::cli::operate::Desk;
use crate::cli::output::{Format, Table, moment, print_items};
use crate::web::api::audit::AuditLine;

/// Entries of a story that are shown. Of a longer one these many of its beginning, which says how the sensor came to be, and the newest.
const ENTRIES: usize = 1_000;
const BEGINNING: usize = 100;

pub(super) async fn show(mut desk: Desk<'_>, sensor: &str, format: Format) -> Result<Exit, CliError> {
    let mut value = desk.client.get(&["sensors", sensor], &[]).await?;
    let story = Listing {
        items: story(&mut desk, sensor).await?,
        more: false,
        known_from: None,
    };
    if format != Format::Table {
        if let Value::Object(members) = &mut value {
            members.insert("story".to_owned(), json!(story.items));
        }
        return print(&mut desk, format, &value);
    }
    print(&mut desk, format, &value)?;
    writeln!(desk.terminal.out)?;
    print_items(desk.terminal, format, story, |items| {
        let mut table = Table::new(&["WHEN", "WHAT", "WHO", "DETAILS"]);
        for item in items {
            let line: AuditLine = desk.client.view(item)?;
            table.row([moment(line.at), line.action, line.actor, facts(&line.details)]);
        }
        Ok(table)
    })?;
    Ok(Exit::Done)
}

/// The story, as it happened. Where something is left out is told.
async fn story(desk: &mut Desk<'_>, sensor: &str) -> Result<Vec<Value>, CliError> {
    let path = ["sensors", sensor, "story"];
    let as_it_happened = [("order", Some("oldest_first"))];
    let mut told = desk.client.list(&path, &as_it_happened, ENTRIES).await?;
    if !told.more {
        return Ok(told.items);
    }
    told.items.truncate(BEGINNING);
    let newest = desk.client.list(&path, &[], ENTRIES - BEGINNING).await?;
    let left_out = (told.items.last(), newest.items.last());
    if let (Some(from), Some(to)) = left_out {
        let (from, to): (AuditLine, AuditLine) = (desk.client.view(from)?, desk.client.view(to)?);
        writeln!(
            desk.terminal.err,
            "note: the story is longer: these are its first {BEGINNING} and its newest {} entries, without those from {} to {}; `portolan audit export` has all",
            ENTRIES - BEGINNING,
            moment(from.at),
            moment(to.at),
        )?;
    }
    told.items.extend(newest.items.into_iter().rev());
    Ok(told.items)
}

/// `name: value` for each member that has one.
fn facts(details: &Value) -> String {
    let Some(members) = details.as_object() else {
        return String::new();
    };
    let facts = members.iter().filter_map(|(name, value)| match value {
        Value::Null => None,
        Value::String(text) if text.is_empty() => None,
        Value::String(text) => Some(format!("{name}: {text}")),
        other => Some(format!("{name}: {other}")),
    });
    facts.collect::<Vec<_>>().join(", ")
}
