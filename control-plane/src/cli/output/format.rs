//! In which form results are printed.

use std::io::Write as _;

use serde_json::Value;

use super::table::short;
use super::yaml::to_yaml;
use super::{Sheet, Table};
use crate::cli::Terminal;
use crate::cli::client::Listing;
use crate::cli::failure::CliError;

/// A form of output: for people, as the API gives it, or the same as YAML.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(in crate::cli) enum Format {
    #[default]
    Table,
    Json,
    Yaml,
}

/// Flags of commands that show one thing.
#[derive(Debug, Clone, clap::Args)]
pub struct ShowArgs {
    /// Form of the output
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    pub(in crate::cli) output: Format,
}

/// Flags of commands that list things.
#[derive(Debug, Clone, clap::Args)]
pub struct ListArgs {
    #[command(flatten)]
    pub(in crate::cli) show: ShowArgs,

    /// Items to print at most; a note on standard error says if there are more
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(in crate::cli) limit: u32,
}

/// Flag of commands whose tables have digests.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct DigestArgs {
    /// Print digests whole, and cut nothing to the terminal's width
    #[arg(long)]
    no_trunc: bool,
}

impl DigestArgs {
    /// A digest as these flags want it.
    pub(in crate::cli) fn digest(self, digest: &str) -> String {
        if self.no_trunc {
            digest.to_owned()
        } else {
            short(digest)
        }
    }

    /// Lets lines be as long as they are.
    pub(in crate::cli) fn apply(self, terminal: &mut Terminal) {
        if self.no_trunc {
            terminal.width = None;
        }
    }
}

impl ListArgs {
    pub(in crate::cli) fn limit(&self) -> usize {
        usize::try_from(self.limit).unwrap_or(usize::MAX)
    }
}

/// Prints one thing: as it came, or as the sheet made of it.
pub(in crate::cli) fn print_one(
    terminal: &mut Terminal,
    format: Format,
    value: &Value,
    sheet: impl FnOnce() -> Result<Sheet, CliError>,
) -> Result<(), CliError> {
    let text = match format {
        Format::Table => sheet()?.render(),
        Format::Json => json(value),
        Format::Yaml => to_yaml(value),
    };
    write(terminal, &text)
}

/// Prints one thing: as it came, or as the text made of it.
pub(in crate::cli) fn print_text(
    terminal: &mut Terminal,
    format: Format,
    value: &Value,
    text: impl FnOnce() -> String,
) -> Result<(), CliError> {
    let text = match format {
        Format::Table => text(),
        Format::Json => json(value),
        Format::Yaml => to_yaml(value),
    };
    write(terminal, &text)
}

/// Prints a list: as it came, or as a table with a row for each item.
pub(in crate::cli) fn print_items(
    terminal: &mut Terminal,
    format: Format,
    listing: Listing,
    table: impl FnOnce(&[Value]) -> Result<Table, CliError>,
) -> Result<(), CliError> {
    let text = match format {
        Format::Table => table(&listing.items)?.render(terminal.width),
        Format::Json => json(&Value::Array(listing.items)),
        Format::Yaml => to_yaml(&Value::Array(listing.items)),
    };
    write(terminal, &text)?;
    if listing.more {
        writeln!(terminal.err, "note: there are more: raise --limit")?;
    }
    Ok(())
}

fn json(value: &Value) -> String {
    format!("{value:#}\n")
}

fn write(terminal: &mut Terminal, text: &str) -> Result<(), CliError> {
    terminal.out.write_all(text.as_bytes())?;
    Ok(terminal.out.flush()?)
}
