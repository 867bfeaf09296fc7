//! Asks for what comes.

use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::time::Duration;

use portolan_shared::model::limits;
use portolan_shared::process::Uptime;
use tokio::net::unix::pipe;
use tokio::signal::unix::{SignalKind, signal};

use super::line::write_event;
use super::place::Place;
use crate::cli::Exit;
use crate::cli::failure::CliError;
use crate::cli::operate::Desk;
use crate::cli::output::{Format, ShowArgs};
use crate::web::api::changes::ChangesView;

/// Events asked for at once.
const PAGE: &str = "1000";
/// Between two questions while the control plane is out of reach, or has no place and does not say for how long.
const RETRY: Duration = Duration::from_secs(1);
/// How long it may be, before the command gives up: a restart must not end it.
const PATIENCE: Duration = Duration::from_secs(120);
/// The longest that is waited for a place before it is asked for again.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Bytes that are written at once, but for an event that is longer: a pipe that takes something takes so many.
const CHUNK: usize = 4_096;

/// Flags of `portolan changes`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Begins with every tag that is there, then tells what changed, in order: one event a line, with -o json as CloudEvents 1.0.
However it ends, the cursor stands on standard error: --cursor goes on there, nothing is skipped and nothing told twice, but for events that were
being written when it was interrupted. With --cursor-file a supervisor can start it again as it is. If changes behind a cursor have been removed in
the meantime (portolan settings retention), begin anew without one: remove the file.
A cursor follows what it followed. Of a registry that was removed the last event says so; one that was added since by its name is another one.

Examples:
  portolan changes --from now --follow
  portolan changes --registry gitlab -o json > events.jsonl
  portolan changes --cursor MiBhbGwgY2hhbmdlcyA0Mg --follow -o json
  portolan changes --cursor-file /var/lib/mirror/cursor --follow -o json")]
pub struct ChangesArgs {
    /// Only of this registry, by name or id
    #[arg(long)]
    registry: Option<String>,
    /// Where to begin: with everything that is there, or with what changes from now on
    #[arg(long, value_name = "WHERE", default_value = "start", value_parser = ["start", "now"])]
    from: String,
    /// Go on where an earlier call ended
    #[arg(long, conflicts_with = "from")]
    pub(super) cursor: Option<String>,
    /// Keep the cursor here: go on behind it if the file exists, and replace it whenever something was printed
    #[arg(long, value_name = "FILE", conflicts_with = "cursor")]
    pub(super) cursor_file: Option<PathBuf>,
    /// Wait for more until interrupted
    #[arg(long)]
    follow: bool,
    #[command(flatten)]
    show: ShowArgs,
}

/// Prints what is there, and with `--follow` what comes, until the person interrupts.
pub(in crate::cli) async fn follow(mut desk: Desk<'_>, args: ChangesArgs) -> Result<Exit, CliError> {
    let mut place = Place::read(&args)?;
    let exit = tokio::select! {
        ended = print_all(&mut desk, &args, &mut place) => ended,
        stopped = stopped() => stopped.map(|()| Exit::Done).map_err(CliError::from),
    };
    if let Some(cursor) = place.after(&exit) {
        // Where that cannot be written, why it ended is to be told all the same.
        let _ = writeln!(desk.terminal.err, "to go on from here: --cursor {cursor}");
    }
    exit
}

/// Until somebody interrupts, or tells the process to end.
async fn stopped() -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = terminate.recv() => Ok(()),
    }
}

async fn print_all(desk: &mut Desk<'_>, args: &ChangesArgs, place: &mut Place) -> Result<Exit, CliError> {
    let wait = limits::FEED_WAIT_SECONDS.to_string();
    let mut out_of_reach: Option<Uptime> = None;
    loop {
        let query = [
            ("cursor", place.cursor()),
            ("from", place.cursor().is_none().then_some(args.from.as_str())),
            ("registry", args.registry.as_deref()),
            ("limit", Some(PAGE)),
            ("wait", args.follow.then_some(wait.as_str())),
        ];
        let answer = desk.client.get(&["changes"], &query).await;
        let page = answer.and_then(|value| desk.client.view::<ChangesView>(&value));
        match page {
            Ok(page) => {
                out_of_reach = None;
                print_page(desk, &page, args.show.output).await?;
                let stands = place.cursor() == Some(page.next_cursor.as_str());
                if !args.follow && !page.at_end && stands {
                    return Err(desk.client.odd("changes that go round in a circle".to_owned()));
                }
                place.advance(page.next_cursor)?;
                if page.ended {
                    return removed(desk, args);
                }
                if !args.follow && page.at_end {
                    return Ok(Exit::Done);
                }
            }
            // It is there, and others follow: however long that is so, some time there is a place.
            Err(CliError::Crowded { after, .. }) if args.follow => {
                out_of_reach = None;
                tokio::time::sleep(after.unwrap_or(RETRY).clamp(RETRY, LONGEST_WAIT)).await;
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

/// Nothing will ever follow. Whoever wanted to wait for more is told by the exit code as well.
fn removed(desk: &mut Desk<'_>, args: &ChangesArgs) -> Result<Exit, CliError> {
    writeln!(
        desk.terminal.err,
        "the registry that was followed has been removed: nothing more will be told of it. If another one has its name, begin anew for that one: \
         without this cursor"
    )?;
    Ok(if args.follow { Exit::NotFound } else { Exit::Done })
}

/// Whole events alone, and all of them: then the cursor is behind what was printed and nothing else.
async fn print_page(desk: &mut Desk<'_>, page: &ChangesView, format: Format) -> Result<(), CliError> {
    let mut text = String::new();
    for event in &page.items {
        let before = text.len();
        write_event(&mut text, event, format);
        if before > 0 && text.len() > CHUNK {
            let event = text.split_off(before);
            print(desk, &std::mem::replace(&mut text, event)).await?;
        }
    }
    if text.is_empty() {
        return Ok(());
    }
    print(desk, &text).await
}

/// In a write that waits for its reader nobody hears an interrupt: so it is waited for before.
async fn print(desk: &mut Desk<'_>, text: &str) -> Result<(), CliError> {
    let out = io::stdout().as_fd().try_clone_to_owned()?;
    // A file always takes more, and cannot be waited for. Nothing is written here: whether it is a pipe, and its mode, do not matter.
    if let Ok(out) = pipe::Sender::from_owned_fd_unchecked(out) {
        out.writable().await?;
    }
    desk.terminal.out.write_all(text.as_bytes())?;
    Ok(desk.terminal.out.flush()?)
}
