//! `portolan sensor show`: what it is, and how it came to be that.

use std::io::Write as _;

use serde_json::{Value, json};

use super::sheet::print;
use crate::cli::Exit;
use crate::cli::failure::CliError;
use crate::cli::operate::Desk;
use crate::cli::output::{Format, Table, moment, print_items};
use crate::web::api::audit::AuditLine;

/// Entries of a story that are shown: the newest.
const ENTRIES: usize = 1_000;

pub(super) async fn show(mut desk: Desk<'_>, sensor: &str, format: Format) -> Result<Exit, CliError> {
    let mut value = desk.client.get(&["sensors", sensor], &[]).await?;
    let mut story = desk
        .client
        .list(&["sensors", sensor, "story"], &[], ENTRIES)
        .await?;
    if std::mem::take(&mut story.more) {
        writeln!(
            desk.terminal.err,
            "note: the story is longer: these are its newest {ENTRIES} entries; `portolan audit export` has all"
        )?;
    }
    // They come newest first, and are told in order.
    story.items.reverse();
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
