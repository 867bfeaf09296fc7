//! `portolan settings`

use std::str::FromStr;

use reqwest::Method;

use super::Exit;
use super::failure::CliError;
use super::operate::Desk;
use super::output::{Sheet, ShowArgs, print_one};
use crate::web::api::settings::RetentionView;

/// What can be set for the whole tenant.
#[derive(Debug, clap::Subcommand)]
pub enum SettingsCommand {
    /// Show or change how long the past is kept
    #[command(after_help = "\
Without a flag, what is set is shown. What is older than so many days is removed within minutes and does not come back; of a tag that was there then
it stays known what it pointed to, and of each registry the latest run of the whole, and the latest that was complete, stay.
Questions about the time before are answered with an error, and so are cursors of the change feed that stand there.

Examples:
  portolan settings retention
  portolan settings retention --history-days 400 --runs-days 90
  portolan settings retention --history-days forever")]
    Retention(RetentionArgs),
}

/// Flags of `portolan settings retention`.
#[derive(Debug, clap::Args)]
pub struct RetentionArgs {
    /// Keep the history of tags for N days, or forever
    #[arg(long, value_name = "N")]
    history_days: Option<Days>,
    /// Keep runs that have ended for N days, or forever
    #[arg(long, value_name = "N")]
    runs_days: Option<Days>,
    #[command(flatten)]
    show: ShowArgs,
}

/// A number of days, or for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) struct Days(Option<u32>);

impl FromStr for Days {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "forever" => Ok(Self(None)),
            days => days
                .parse()
                .map(|days| Self(Some(days)))
                .map_err(|_| "expected a number of days, or forever"),
        }
    }
}

pub(super) async fn run(desk: Desk<'_>, command: SettingsCommand) -> Result<Exit, CliError> {
    let SettingsCommand::Retention(args) = command;
    let path = ["settings", "retention"];
    let mut value = desk.client.get(&path, &[]).await?;
    let mut kept: RetentionView = desk.client.view(&value)?;
    if args.history_days.is_some() || args.runs_days.is_some() {
        if let Some(Days(days)) = args.history_days {
            kept.history_days = days;
        }
        if let Some(Days(days)) = args.runs_days {
            kept.runs_days = days;
        }
        value = desk.client.put(Method::PUT, &path, &kept).await?;
    }
    print_one(desk.terminal, args.show.output, &value, || {
        let days = |days: Option<u32>| match days {
            None => "for ever".to_owned(),
            Some(1) => "1 day".to_owned(),
            Some(days) => format!("{days} days"),
        };
        let mut sheet = Sheet::new();
        sheet.add("history is kept", days(kept.history_days));
        sheet.add("runs are kept", days(kept.runs_days));
        Ok(sheet)
    })?;
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_a_number_or_forever() {
        assert_eq!("400".parse(), Ok(Days(Some(400))));
        assert_eq!("forever".parse(), Ok(Days(None)));
        for wrong in ["", "-1", "never", "1.5", "99999999999"] {
            assert!(wrong.parse::<Days>().is_err(), "{wrong}");
        }
    }
}
