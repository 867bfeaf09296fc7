//! Asks for what comes.

use std::io::Write as _;
use std::time::Duration;

use portolan_shared::model::limits;
use portolan_shared::process::Uptime;

use super::line::write_event;
use crate::cli::Exit;
use crate::cli::failure::CliError;
use crate::cli::operate::Desk;
use crate::cli::output::{Format, ShowArgs};
use crate::web::api::changes::ChangesView;

/// Events asked for at once.
const PAGE: &str = "1000";
/// Between two questions while the control plane is out of reach.
const RETRY: Duration = Duration::from_secs(1);
/// How long it may be, before the command gives up: a restart must not end it.
const PATIENCE: Duration = Duration::from_secs(120);

/// Flags of `portolan changes`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Begins with every tag that is there, then tells what changed, in order: one event a line, with -o json as CloudEvents 1.0.
At the end the cursor stands on standard error: --cursor goes on there, nothing is skipped and nothing told twice. If changes behind a cursor
have been removed in the meantime (portolan settings retention), begin anew without one.

Examples:
  portolan changes --from now --follow
  portolan changes --registry gitlab -o json > events.jsonl
  portolan changes --cursor MSBjaGFuZ2VzIDQy --follow -o json")]
pub struct ChangesArgs {
    /// Only of this registry, by name or id
    #[arg(long)]
    registry: Option<String>,
    /// Where to begin: with everything that is there, or with what changes from now on
    #[arg(long, value_name = "WHERE", default_value = "start", value_parser = ["start", "now"])]
    from: String,
    /// Go on where an earlier call ended
    #[arg(long, conflicts_with = "from")]
    cursor: Option<String>,
    /// Wait for more until interrupted
    #[arg(long)]
    follow: bool,
    #[command(flatten)]
    show: ShowArgs,
}

/// Prints what is there, and with `--follow` what comes, until the person interrupts.
pub(in crate::cli) async fn follow(mut desk: Desk<'_>, args: ChangesArgs) -> Result<Exit, CliError> {
    let mut cursor = args.cursor.clone();
    let exit = tokio::select! {
        ended = print_all(&mut desk, &args, &mut cursor) => ended.map(|()| Exit::Done),
        interrupted = tokio::signal::ctrl_c() => interrupted.map(|()| Exit::Done).map_err(CliError::from),
    };
    if let (Some(cursor), Ok(_)) = (cursor, &exit) {
        writeln!(desk.terminal.err, "to go on from here: --cursor {cursor}")?;
    }
    exit
}

async fn print_all(
    desk: &mut Desk<'_>,
    args: &ChangesArgs,
    cursor: &mut Option<String>,
) -> Result<(), CliError> {
    let wait = limits::FEED_WAIT_SECONDS.to_string();
    let mut out_of_reach: Option<Uptime> = None;
    loop {
        let query = [
            ("cursor", cursor.as_deref()),
            ("from", cursor.is_none().then_some(args.from.as_str())),
            ("registry", args.registry.as_deref()),
            ("limit", Some(PAGE)),
            ("wait", args.follow.then_some(wait.as_str())),
        ];
        let answer = desk.client.get(&["changes"], &query).await;
        let page = answer.and_then(|value| desk.client.view::<ChangesView>(&value));
        match page {
            Ok(page) => {
                out_of_reach = None;
                print_page(desk, &page, args.show.output)?;
                let stands = cursor.as_deref() == Some(page.next_cursor.as_str());
                if !args.follow && !page.at_end && stands {
                    return Err(desk.client.odd("changes that go round in a circle".to_owned()));
                }
                *cursor = Some(page.next_cursor);
                if !args.follow && page.at_end {
                    return Ok(());
                }
            }
            Err(error) if args.follow && error.exit() == Exit::Unavailable => {
                let now = desk.clock.uptime();
                let since = *out_of_reach.get_or_insert(now);
                if now.since(since) > PATIENCE {
                    return Err(error);
                }
                tokio::time::sleep(RETRY).await;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Whole, so that the cursor is behind what was printed and nothing else.
fn print_page(desk: &mut Desk<'_>, page: &ChangesView, format: Format) -> Result<(), CliError> {
    let mut text = String::new();
    for event in &page.items {
        write_event(&mut text, event, format);
    }
    desk.terminal.out.write_all(text.as_bytes())?;
    Ok(desk.terminal.out.flush()?)
}
