//! Polls a run, shows its progress, prints its account.

use std::io::Write as _;
use std::time::Duration;

use portolan_shared::process::Uptime;
use serde_json::Value;

use super::progress::Progress;
use crate::cli::Exit;
use crate::cli::assigned::awaited;
use crate::cli::failure::CliError;
use crate::cli::operate::Desk;
use crate::cli::output::ListArgs;
use crate::cli::run::print_run;
use crate::web::api::runs::Run;

/// Between two questions. An unchanged run costs the control plane an entity tag.
const POLL: Duration = Duration::from_millis(400);
/// Between two looks at the sensors that a queued run waits for.
const LOOK: Duration = Duration::from_secs(30);
/// How long the control plane may be out of reach before the command gives up: a restart must not end a wait.
const PATIENCE: Duration = Duration::from_secs(120);

/// Follows a run until it has ended or the person interrupts, and tells how it ended.
pub(in crate::cli) async fn watch(desk: &mut Desk<'_>, run: &str, list: &ListArgs) -> Result<Exit, CliError> {
    let mut progress = Progress::new(desk.terminal);
    let ended = tokio::select! {
        ended = follow(desk, run, &mut progress) => ended,
        interrupted = tokio::signal::ctrl_c() => {
            interrupted?;
            progress.clear();
            writeln!(desk.terminal.err, "the run goes on; watch it: portolan run watch {run}")?;
            return Ok(Exit::Detached);
        }
    };
    progress.clear();
    let (value, view) = ended?;
    print_run(desk, &value, list).await?;
    Ok(match view.state.as_str() {
        "complete" => Exit::Done,
        "partial" => Exit::RunPartial,
        "cancelled" => Exit::RunCancelled,
        _ => Exit::RunFailed,
    })
}

async fn follow(desk: &mut Desk<'_>, run: &str, progress: &mut Progress) -> Result<(Value, Run), CliError> {
    let mut tag = None;
    // A queued run, and when it was last told what it waits for.
    let mut waits: Option<(Run, Option<Uptime>)> = None;
    let mut out_of_reach: Option<Uptime> = None;
    loop {
        match desk.client.get_changed(&["runs", run], tag.as_deref()).await {
            Ok(answer) => {
                out_of_reach = None;
                if let Some((value, new_tag)) = answer {
                    let view: Run = desk.client.view(&value)?;
                    progress.show(&view, desk.clock.uptime(), desk.terminal)?;
                    if view.ended {
                        return Ok((value, view));
                    }
                    tag = new_tag;
                    waits = (view.state == "queued").then_some((view, None));
                }
                if let Some((queued, told)) = &mut waits {
                    let now = desk.clock.uptime();
                    if told.is_none_or(|told| now.since(told) >= LOOK) {
                        *told = Some(now);
                        match awaited(&desk.client, queued, desk.clock.now()).await {
                            Ok(words) => progress.wait(&words, desk.terminal)?,
                            // The next question for the run finds out, and is patient.
                            Err(error) if error.exit() == Exit::Unavailable => {}
                            Err(error) => return Err(error),
                        }
                    }
                }
            }
            Err(error) if error.exit() == Exit::Unavailable => {
                let now = desk.clock.uptime();
                let since = *out_of_reach.get_or_insert(now);
                if now.since(since) > PATIENCE {
                    return Err(error);
                }
            }
            Err(error) => return Err(error),
        }
        tokio::time::sleep(POLL).await;
    }
}
