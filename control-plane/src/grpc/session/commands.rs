//! Waiting for what a session is told from inside: by the dispatcher, by whoever cancels, by the end of the process.

use std::sync::Arc;

use portolan_shared::model::Reason;
use tokio::sync::mpsc;

use crate::app::{LiveSession, SessionCommand};

/// Returns when the session must end, with the reason.
pub(super) async fn ended(session: Option<&Arc<LiveSession>>) -> Reason {
    match session {
        Some(session) => session.ended().await,
        None => std::future::pending().await,
    }
}

/// The next command.
pub(super) async fn told(commands: Option<&mut mpsc::Receiver<SessionCommand>>) -> SessionCommand {
    match commands {
        Some(commands) => match commands.recv().await {
            Some(command) => command,
            None => std::future::pending().await,
        },
        None => std::future::pending().await,
    }
}
