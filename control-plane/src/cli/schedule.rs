//! `portolan schedule`

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Exit;
use super::failure::CliError;
use super::operate::Desk;
use super::output::{Format, Sheet, ShowArgs, print_one};
use super::registry::{Expression, schedules_help, seconds};
use crate::web::api::schedules::SchedulePreview;

/// What can be done with schedules.
#[derive(Debug, clap::Subcommand)]
pub enum ScheduleCommand {
    /// Show when runs would start by a schedule
    #[command(after_help = concat!(schedules_help!(), "

Where no time is named, the moments differ from registry to registry: those of an example are shown, or with --registry its own.

Examples:
  portolan schedule preview 'daily 02:30' --zone Europe/Berlin
  portolan schedule preview '0 */6 * * mon-fri' --zone America/New_York --count 10
  portolan schedule preview 'every 15m' --blackout 'mon-fri 08:00-18:00' --missed skip
  portolan schedule preview hourly --registry gitlab"))]
    Preview(PreviewArgs),
}

/// Flags of `portolan schedule preview`.
#[derive(Debug, clap::Args)]
pub struct PreviewArgs {
    /// Schedule, such as 'daily 03:30'; see below
    #[arg(value_parser = Expression, hide_possible_values = true)]
    expression: String,
    /// Its time zone, such as Europe/Berlin
    #[arg(long, value_name = "ZONE")]
    zone: Option<String>,
    /// Window without starts, such as 'mon-fri 08:00-18:00'; give several
    #[arg(long, value_name = "WINDOW")]
    blackout: Vec<String>,
    /// Put each start off by up to so much, such as 5m
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    jitter: Option<u32>,
    /// What becomes of a start that falls into a window
    #[arg(long, value_name = "WHAT", value_parser = ["run-once", "skip"])]
    missed: Option<String>,
    /// Show the starts that this registry would have
    #[arg(long)]
    registry: Option<String>,
    /// How many starts
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=100))]
    count: u16,
    #[command(flatten)]
    show: ShowArgs,
}

pub(super) async fn run(desk: Desk<'_>, command: ScheduleCommand) -> Result<Exit, CliError> {
    let ScheduleCommand::Preview(args) = command;
    let (count, jitter) = (
        args.count.to_string(),
        args.jitter.map(|jitter| jitter.to_string()),
    );
    let windows = (!args.blackout.is_empty()).then(|| args.blackout.join(";"));
    let missed = args.missed.map(|word| word.replace('-', "_"));
    let query = [
        ("expression", Some(args.expression.as_str())),
        ("zone", args.zone.as_deref()),
        ("blackouts", windows.as_deref()),
        ("jitter_seconds", jitter.as_deref()),
        ("missed", missed.as_deref()),
        ("registry", args.registry.as_deref()),
        ("count", Some(count.as_str())),
    ];
    let value = desk.client.get(&["schedules", "preview"], &query).await?;
    let preview: SchedulePreview = desk.client.view(&value)?;
    print_one(desk.terminal, args.show.output, &value, || {
        let mut sheet = Sheet::new();
        sheet.add("schedule", format!("{}, {}", preview.expression, preview.zone));
        sheet.add_all("starts", starts(&preview.starts, &preview.zone));
        if preview.starts.is_empty() {
            sheet.add("starts", "never by itself".to_owned());
        }
        Ok(sheet)
    })?;
    if preview.example && args.show.output == Format::Table {
        writeln!(
            desk.terminal.err,
            "these moments are those of an example: they differ from registry to registry (see --registry)"
        )?;
    }
    Ok(Exit::Done)
}

/// Starts as a clock shows them in a zone, with how far it is from UTC: `Sat 2026-11-21 03:30:12 +01:00`.
pub(super) fn starts(starts: &[Timestamp], zone: &str) -> Vec<String> {
    let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
    let shown = |start: &Timestamp| {
        let shown = start.to_zoned(zone.clone());
        shown.strftime("%a %Y-%m-%d %H:%M:%S %:z").to_string()
    };
    starts.iter().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_are_shown_as_the_clock_does() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let shown = starts(
            &[at("2026-10-24T23:30:00Z"), at("2026-10-25T23:30:00Z")],
            "Europe/Berlin",
        );
        assert_eq!(
            shown,
            ["Sun 2026-10-25 01:30:00 +02:00", "Mon 2026-10-26 00:30:00 +01:00"]
        );
        assert_eq!(
            starts(&[at("2026-10-24T23:30:00Z")], "no/zone"),
            ["Sat 2026-10-24 23:30:00 +00:00"]
        );
    }
}
