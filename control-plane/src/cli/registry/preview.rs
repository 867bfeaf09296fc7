//! `portolan registry set --preview`

use std::fmt::Write as _;
use std::io::Write as _;

use portolan_shared::model::printable;
use serde_json::Value;

use crate::cli::Exit;
use crate::cli::failure::CliError;
use crate::cli::operate::Desk;
use crate::cli::output::{Format, Sheet, Table, moment, print_one};
use crate::web::api::registries::RegistryPreview;

/// Repositories that are named on a terminal; `-o json` has more.
const NAMED: usize = 20;

/// Prints what filters would match.
pub(super) fn print_preview(desk: &mut Desk<'_>, format: Format, value: &Value) -> Result<Exit, CliError> {
    let preview: RegistryPreview = desk.client.view(value)?;
    if matches!(format, Format::Json | Format::Yaml) {
        print_one(desk.terminal, format, value, || Ok(Sheet::new()))?;
    } else {
        let text = told(&preview, desk.terminal.width);
        desk.terminal.out.write_all(text.as_bytes())?;
    }
    Ok(Exit::Done)
}

fn told(preview: &RegistryPreview, width: Option<usize>) -> String {
    let mut text = "Nothing was changed. With these filters, of the inventory".to_owned();
    let _ = match preview.last_success_at {
        Some(at) => writeln!(text, " (last seen completely {}):\n", moment(at)),
        None => writeln!(text, " (never seen completely: it may lack anything):\n"),
    };
    let (repositories, tags) = (&preview.repositories, &preview.tags);
    let mut sheet = Sheet::new();
    let kept = format!("{} kept, {} left out", repositories.kept, repositories.left_out);
    sheet.add("repositories", kept);
    if repositories.taken_in > 0 {
        sheet.add(
            "",
            format!("{} taken in again, known from earlier", repositories.taken_in),
        );
    }
    let kept = format!("{} kept, {} left out", tags.kept, tags.left_out);
    sheet.add("tags", kept);
    if tags.in_left_out_repositories > 0 {
        sheet.add(
            "",
            format!(
                "{} in the repositories that are left out",
                tags.in_left_out_repositories
            ),
        );
    }
    if tags.times_unknown > 0 {
        sheet.add(
            "",
            format!(
                "{} kept because it is not known when they were pushed",
                tags.times_unknown
            ),
        );
    }
    text.push_str(&sheet.render());
    if !preview.most_left_out.is_empty() {
        text.push_str("\nMost is left out of\n\n");
        let mut table = Table::new(&["REPOSITORY", "FATE", "TAGS KEPT", "TAGS LEFT OUT"]);
        for line in preview.most_left_out.iter().take(NAMED) {
            table.row([
                line.repository.clone(),
                line.fate.replace('_', " "),
                line.kept.to_string(),
                line.left_out.to_string(),
            ]);
        }
        text.push_str(&table.render(width));
        if preview.most_left_out.len() > NAMED {
            let _ = writeln!(
                text,
                "and {} more: see `-o json`",
                preview.most_left_out.len() - NAMED
            );
        }
    }
    for finding in &preview.findings {
        let seen = printable(&finding.seen, 1_024);
        let _ = writeln!(
            text,
            "\n{}: {}: {seen}\n  cure  {}",
            finding.severity, finding.code, finding.cure
        );
    }
    text.push_str(
        "\nWhat the present filters leave out is not in the inventory: what of it these would take in shows only in a run.\n",
    );
    text
}
