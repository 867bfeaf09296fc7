//! `audit accept-checkpoint`: the administrator takes another line of the control plane's log for the true one.

use std::sync::Arc;

use clap::Args;
use portolan_shared::process::SystemClock;

use super::exit::{DONE, FAILED, Failed, REFUSED, keyring_code, say};
use crate::audit::{AuditLog, NotAccepted, accept_checkpoint};
use crate::keyring::{Keyring, StateDir};
use crate::settings::Settings;

#[derive(Args)]
#[command(after_help = "\
A control plane that was restored from a backup has a shorter audit log, which goes on differently,
and a sensor that saw more refuses its checkpoints for ever: it cannot know that nobody rewrote it.
`portolan-agent status` names the checkpoint that was refused. Compare its hash with what
`portolan audit verify` says of that record, ask whoever did the restore, and then:

Example:
  systemctl stop portolan-agent
  portolan-agent audit accept-checkpoint 3f9a1c5e0b7d
  systemctl start portolan-agent

It is recorded in this sensor's own log. What was kept and refused until then is set aside beside it.

Exit codes: 0 accepted, 1 an agent runs here or a file cannot be written, 2 nothing was refused or
nothing that has this hash, 64 wrong usage or not enrolled, 78 this sensor is revoked.")]
pub(super) struct AcceptArguments {
    /// Hash of the refused checkpoint, or its first 12 digits or more
    hash: String,
}

pub(super) fn accept(arguments: &AcceptArguments, settings: &Settings) -> Result<u8, Failed> {
    let keyring_failed = |error| Failed::because(keyring_code(&error), &error);
    // Held to the end: the running agent has the checkpoints in its memory, and the log at its own head.
    let dir = StateDir::open(&settings.data_dir).map_err(keyring_failed)?;
    let keyring = Keyring::open(dir).map_err(keyring_failed)?;
    let log = AuditLog::open(&settings.data_dir, keyring.sensor(), Arc::new(SystemClock))
        .map_err(|error| Failed::because(FAILED, &error))?;
    let tenant = keyring.enrolled().tenant;
    let accepted =
        accept_checkpoint(&settings.data_dir, tenant, &log, &arguments.hash).map_err(
            |error| match error {
                NotAccepted::Nothing | NotAccepted::NoSuch { .. } | NotAccepted::Forged { .. } => {
                    Failed::because(REFUSED, &error)
                }
                NotAccepted::Unrecorded(_) | NotAccepted::File(_) => Failed::because(FAILED, &error),
            },
        )?;
    say(&format!(
        "From now on the control plane's audit log has to go on from {}.",
        accepted.head
    ))?;
    if let Some(former) = accepted.instead_of {
        say(&format!("Until now it was {former}."))?;
    }
    let aside: Vec<String> = accepted
        .aside
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    say(&format!(
        "What was kept and refused until now: {}.",
        aside.join(", ")
    ))?;
    Ok(DONE)
}
