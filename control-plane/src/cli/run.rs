//! `portolan run`

use serde_json::{Value, json};

use super::Exit;
use super::assigned::{QUEUED, awaited};
use super::client::Client;
use super::failure::CliError;
use super::operate::Desk;
use super::output::{Format, Lines, ListArgs, Sheet, Table, account, moment, print_items, print_one};
use super::watch::watch;
use crate::web::api::runs::{CoverageLine, Run};

/// Queued runs of a registry among which the one is looked for that waits for another.
const WAITING: usize = 1_000;

/// What can be done with runs.
#[derive(Debug, clap::Subcommand)]
pub enum RunCommand {
    /// List runs, newest first
    #[command(after_help = "Example:\n  portolan run list --registry gitlab --state partial")]
    List {
        /// Only of this registry
        #[arg(long)]
        registry: Option<String>,
        /// Only in this state: queued, leased, complete, partial, failed, cancelled
        #[arg(long)]
        state: Option<String>,
        #[command(flatten)]
        list: ListArgs,
    },
    /// Show what a run saw, and what it could not see
    #[command(after_help = "\
Of a run that is queued it says what it waits for: the sensors that may take it, or another run.

Example:
  portolan run show 01890a5d-ac96-774b-bcce-b302099a8057")]
    Show {
        /// Id
        run: String,
        #[command(flatten)]
        list: ListArgs,
    },
    /// Follow a run to its end
    #[command(after_help = "Example:\n  portolan run watch 01890a5d-ac96-774b-bcce-b302099a8057")]
    Watch {
        /// Id
        run: String,
        #[command(flatten)]
        list: ListArgs,
    },
    /// Cancel a run; what was committed stays
    #[command(after_help = "\
If another run waits for this one to end, that starts: it is told which.

Example:
  portolan run cancel 01890a5d-ac96-774b-bcce-b302099a8057")]
    Cancel {
        /// Id
        run: String,
        #[command(flatten)]
        list: ListArgs,
    },
}

pub(super) async fn run(mut desk: Desk<'_>, command: RunCommand) -> Result<Exit, CliError> {
    match command {
        RunCommand::List {
            registry,
            state,
            list,
        } => {
            let query = [("registry", registry.as_deref()), ("state", state.as_deref())];
            let listing = desk.client.list(&["runs"], &query, list.limit()).await?;
            print_items(desk.terminal, list.show.output, listing, |items| {
                table(&desk.client, items)
            })?;
            Ok(Exit::Done)
        }
        RunCommand::Show { run, list } => {
            let value = desk.client.get(&["runs", &run], &[]).await?;
            print_run(&mut desk, &value, &list).await?;
            Ok(Exit::Done)
        }
        RunCommand::Watch { run, list } => watch(&mut desk, &run, &list).await,
        RunCommand::Cancel { run, list } => {
            let follower = follower(&desk.client, &run).await?;
            let value = desk.client.act(&["runs", &run, "cancel"]).await?;
            print_run(&mut desk, &value, &list).await?;
            if let Some(follower) = follower {
                writeln!(
                    desk.terminal.err,
                    "run {follower}, which waited for this one to end, starts now; to cancel that as well: portolan run cancel {follower}"
                )?;
            }
            Ok(Exit::Done)
        }
    }
}

/// The run that waits for this one to end, if there is one.
async fn follower(client: &Client, run: &str) -> Result<Option<String>, CliError> {
    let run: Run = client.view(&client.get(&["runs", run], &[]).await?)?;
    let query = [
        ("registry", Some(run.registry.id.as_str())),
        ("state", Some(QUEUED)),
    ];
    let waiting = client.list(&["runs"], &query, WAITING).await?;
    for waiting in &waiting.items {
        let waiting: Run = client.view(waiting)?;
        if waiting.behind.as_ref() == Some(&run.id) {
            return Ok(Some(waiting.id));
        }
    }
    Ok(None)
}

/// Prints a run with what it did not see: in words, or as it came with those repositories under `not_complete`, and with those that the
/// registry's patterns left out under `filtered`.
pub(super) async fn print_run(desk: &mut Desk<'_>, value: &Value, list: &ListArgs) -> Result<(), CliError> {
    let run: Run = desk.client.view(value)?;
    let path = ["runs", run.id.as_str(), "coverage"];
    let listing = desk.client.list(&path, &[], list.limit()).await?;
    let filtered = [("outcome", Some("filtered"))];
    let filtered = desk.client.list(&path, &filtered, list.limit()).await?;
    if list.show.output == Format::Table {
        let lines = |items: &[Value]| -> Result<Vec<CoverageLine>, CliError> {
            items.iter().map(|item| desk.client.view(item)).collect()
        };
        let not_complete = Lines {
            items: lines(&listing.items)?,
            more: listing.more,
        };
        let filtered = Lines {
            items: lines(&filtered.items)?,
            more: filtered.more,
        };
        let awaited = match run.state.as_str() {
            QUEUED => Some(awaited(&desk.client, &run, desk.clock.now()).await?),
            _ => None,
        };
        let text = account(&run, &not_complete, &filtered, awaited.as_deref());
        desk.terminal.out.write_all(text.as_bytes())?;
        return Ok(desk.terminal.out.flush()?);
    }
    let mut whole = value.clone();
    whole["not_complete"] = json!(listing.items);
    whole["not_complete_cut"] = json!(listing.more);
    whole["filtered"] = json!(filtered.items);
    whole["filtered_cut"] = json!(filtered.more);
    print_one(desk.terminal, list.show.output, &whole, || Ok(Sheet::new()))
}

fn table(client: &Client, items: &[Value]) -> Result<Table, CliError> {
    let mut table = Table::new(&[
        "RUN",
        "REGISTRY",
        "STATE",
        "QUEUED",
        "ENDED",
        "WHY",
        "REPOSITORIES",
        "TAGS",
        "BY",
    ]);
    for item in items {
        let run: Run = client.view(item)?;
        let seen = run.coverage.listed + run.coverage.unchanged;
        let repositories = if run.ended {
            format!("{seen} complete")
        } else {
            format!(
                "{} of {}",
                run.progress.repositories_done, run.progress.repositories_total
            )
        };
        let tags = if run.ended {
            run.coverage.tags
        } else {
            run.progress.tags
        };
        table.row([
            run.id,
            run.registry.name,
            run.state,
            moment(run.queued_at),
            run.ended_at.map_or_else(String::new, moment),
            run.trigger,
            repositories,
            tags.to_string(),
            run.requested_by,
        ]);
    }
    Ok(table)
}
