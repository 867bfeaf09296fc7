//! `portolan sync`

use std::io::Write as _;

use portolan_shared::model::RepositoryName;
use reqwest::Method;

use super::Exit;
use super::failure::CliError;
use super::operate::Desk;
use super::output::{Format, ListArgs, Sheet, print_one};
use super::watch::watch;
use crate::web::api::runs::{CreateRun, QueuedRunView};

/// Flags of `portolan sync`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The run begins after the command was given, so it sees what was pushed before: it joins one that waits, and follows one that has begun.

With --wait, progress goes to standard error (moving on a terminal, a line now and then otherwise) and the account of the run to standard output. The exit code is 0 only if the run is complete. Ctrl-C stops waiting, not the run.

Examples:
  portolan sync gitlab --wait
  portolan sync gitlab --repository acme/shop --repository acme/api")]
pub struct SyncArgs {
    /// Name or id
    registry: String,
    /// Only this repository; may be given several times
    #[arg(long, value_name = "REPOSITORY")]
    repository: Vec<String>,
    /// Follow the run to its end
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    list: ListArgs,
}

pub(super) async fn sync(mut desk: Desk<'_>, args: SyncArgs) -> Result<Exit, CliError> {
    let repositories = args
        .repository
        .iter()
        .map(|name| name.parse::<RepositoryName>())
        .collect::<Result<_, _>>()
        .map_err(|error| CliError::Usage(error.to_string()))?;
    let value = desk
        .client
        .put(
            Method::POST,
            &["registries", &args.registry, "runs"],
            &CreateRun { repositories },
        )
        .await?;
    let queued: QueuedRunView = desk.client.view(&value)?;
    let run = &queued.run.id;
    writeln!(
        desk.terminal.err,
        "run {run} of {} {}",
        queued.run.registry.name,
        standing(&queued)
    )?;
    if args.wait {
        return watch(&mut desk, run, &args.list).await;
    }
    if args.list.show.output == Format::Table {
        writeln!(desk.terminal.err, "watch it: portolan run watch {run}")?;
    } else {
        print_one(desk.terminal, args.list.show.output, &value["run"], || {
            Ok(Sheet::new())
        })?;
    }
    Ok(Exit::Done)
}

/// Where the run stands.
fn standing(queued: &QueuedRunView) -> String {
    match &queued.run.behind {
        Some(begun) => {
            let how = if queued.joined { "waits" } else { "is queued" };
            format!("{how} behind run {begun}, which had begun already and may not have seen what is new")
        }
        None if queued.joined => "is queued already".to_owned(),
        None => "is queued".to_owned(),
    }
}
