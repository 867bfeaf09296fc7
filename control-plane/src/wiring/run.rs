//! `portolan server`, from flags to the end of the process.

use anyhow::Context as _;
use portolan_shared::process::start_logging;
use tokio::signal::unix::{SignalKind, signal};

use super::{ControlPlane, Deps};
use crate::settings::{ServerArgs, Settings};

/// Runs a control plane until it is told to stop by SIGTERM or SIGINT; a second signal ends the wait for those who are still there.
pub async fn run(args: ServerArgs) -> anyhow::Result<()> {
    let settings = Settings::read(args)?;
    start_logging(settings.log.format, &settings.log.filter)?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let control_plane = ControlPlane::start(settings, Deps::default()).await?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = control_plane.failed() => {}
    }
    tokio::select! {
        well = control_plane.stop() => {
            anyhow::ensure!(well, "the control plane stopped because a part of it failed; the log says which");
        }
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
