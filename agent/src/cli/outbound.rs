//! `show-outbound`: what left this machine, by its own log; and what a sync would send.

use clap::Args;
use portolan_shared::process::{Clock as _, SystemClock};

use super::arguments::Output;
use super::audit::{ShowArguments, unreadable};
use super::egress::enrolled_with;
use super::exit::{DONE, FAILED, Failed, USAGE, say};
use super::next::next;
use crate::audit::{FOLDER, Outbound, outbound};
use crate::policy::Policy;
use crate::settings::Settings;

#[derive(Args)]
#[command(after_help = "\
Examples:
  portolan-agent show-outbound
  portolan-agent show-outbound --since 24h -o json
  portolan-agent show-outbound --next

Hosts and kinds of data are in the log from the first contact on, counts within a minute: of an
agent that was killed the last minute of counts may be missing, never a host or a kind. Names are
resolved by this machine's own resolver, which is not in the account.

Exit codes: 0 shown, 1 the log cannot be read, 64 wrong usage, no log, or a policy that cannot be
used.")]
pub(super) struct OutboundArguments {
    #[command(flatten)]
    show: ShowArguments,
    /// Say what the next sync would contact and send, by the policy as it is now and the jobs that there were
    #[arg(long, conflicts_with = "since")]
    next: bool,
}

pub(super) fn show_outbound(arguments: &OutboundArguments, settings: &Settings) -> Result<u8, Failed> {
    let folder = settings.data_dir.join(FOLDER);
    let since = arguments.show.since.map(|since| since.at(SystemClock.now()));
    let account = outbound(&folder, since).map_err(|error| unreadable(&folder, &error))?;
    if arguments.next {
        let policy = Policy::load(&settings.policy).map_err(|error| Failed::because(USAGE, &error))?;
        let next = next(
            &account.registries,
            &policy,
            enrolled_with(settings)?.as_deref(),
            settings,
            SystemClock.now(),
        );
        return show(&next, arguments.show.output);
    }
    if account == Outbound::default() && !folder.exists() {
        return Err(Failed(
            USAGE,
            format!("there is no audit log in {}", folder.display()),
        ));
    }
    show(&account, arguments.show.output)
}

fn show<T: std::fmt::Display + serde::Serialize>(what: &T, output: Output) -> Result<u8, Failed> {
    match output {
        Output::Text => say(what.to_string().trim_end())?,
        Output::Json => {
            say(&serde_json::to_string_pretty(what).map_err(|error| Failed::because(FAILED, &error))?)?;
        }
    }
    Ok(DONE)
}
