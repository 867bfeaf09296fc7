//! Signals: SIGTERM and SIGINT drain and then cut, SIGHUP reads the policy again.

use portolan_shared::process::Shutdown;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The operating system gives no signals.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen for signals")]
pub struct SignalError(#[from] std::io::Error);

/// Follows the process's signals until the shutdown's cut. The first SIGTERM or SIGINT drains, the second cuts; SIGHUP has `reread` called.
pub fn follow_signals(
    reread: impl Fn() + Send + 'static,
    shutdown: Shutdown,
) -> Result<impl Future<Output = ()> + Send + 'static, SignalError> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(async move {
        loop {
            tokio::select! {
                () = stop(&mut terminate, &mut interrupt) => {
                    if shutdown.is_draining() {
                        shutdown.start_cut();
                    } else {
                        shutdown.start_drain();
                    }
                }
                Some(()) = hangup.recv() => reread(),
                () = shutdown.cutting() => return,
            }
        }
    })
}

async fn stop(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
