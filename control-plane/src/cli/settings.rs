//! `portolan settings`

use std::str::FromStr;

use super::Exit;
use super::failure::CliError;
use super::operate::Desk;
use super::output::{Sheet, ShowArgs, print_one};
use super::terminal::ConfirmArgs;
use crate::web::api::settings::RetentionView;

/// What can be set for the whole tenant.
#[derive(Debug, clap::Subcommand)]
pub enum SettingsCommand {
    /// Show or change how long the past is kept
    #[command(after_help = "\
Without a flag, what is set is shown. What is older than so many days is removed within minutes and does not come back: on a terminal it is asked
before less is kept. Of a tag that was there then it stays known what it pointed to, and of each registry the latest run, the latest of the whole, and
the latest of these that was complete, stay. Questions about the time before are answered with an error, and so are cursors of the change feed that
stand there; of the oldest change that is kept of a tag, the history does not say any more what was before.
Runs that looked at what push events had named, and saw all of it, go after 7 days whatever is set.
Nothing is forgotten while the clock of the server is in doubt: within an hour of its start or of a leap of the clock, and unless a sensor has told the
same time within two days.

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
    confirm: ConfirmArgs,
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
    let (mut value, tag) = desk.client.get_tagged(&path).await?;
    let before: RetentionView = desk.client.view(&value)?;
    let mut kept = before;
    if args.history_days.is_some() || args.runs_days.is_some() {
        if let Some(Days(days)) = args.history_days {
            kept.history_days = days;
        }
        if let Some(Days(days)) = args.runs_days {
            kept.runs_days = days;
        }
        if let Some(question) = shortened(before, kept) {
            args.confirm.ask(desk.terminal, &question)?;
        }
        value = desk.client.replace(&path, tag, &kept).await?;
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

/// What is to be asked if less is kept than before: what goes does not come back.
fn shortened(before: RetentionView, kept: RetentionView) -> Option<String> {
    let less = |before: Option<u32>, kept: Option<u32>| {
        kept.filter(|kept| before.is_none_or(|before| *kept < before))
    };
    let history = less(before.history_days, kept.history_days);
    let runs = less(before.runs_days, kept.runs_days);
    let of = |what: &str, days: u32| format!("{what} of more than {days} days ago");
    let parts: Vec<String> = [
        history.map(|days| of("the history of tags", days)),
        runs.map(|days| of("runs", days)),
    ]
    .into_iter()
    .flatten()
    .collect();
    (!parts.is_empty()).then(|| format!("Forget {}, for good?", parts.join(" and ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_keeps_less_is_asked_for() {
        let kept = |history_days, runs_days| RetentionView {
            history_days,
            runs_days,
        };
        let before = kept(Some(400), None);
        assert_eq!(shortened(before, kept(None, None)), None);
        assert_eq!(shortened(before, kept(Some(400), None)), None);
        assert_eq!(
            shortened(before, kept(Some(4), None)).unwrap(),
            "Forget the history of tags of more than 4 days ago, for good?"
        );
        assert_eq!(
            shortened(before, kept(Some(399), Some(90))).unwrap(),
            "Forget the history of tags of more than 399 days ago and runs of more than 90 days ago, for good?"
        );
    }

    #[test]
    fn days_are_a_number_or_forever() {
        assert_eq!("400".parse(), Ok(Days(Some(400))));
        assert_eq!("forever".parse(), Ok(Days(None)));
        for wrong in ["", "-1", "never", "1.5", "99999999999"] {
            assert!(wrong.parse::<Days>().is_err(), "{wrong}");
        }
    }
}
