//! What a session is told from inside: by the dispatcher, by whoever cancels, by the end of the process.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use portolan_shared::model::Reason;
use tokio::sync::mpsc;

use super::messages;
use super::step::Event;
use crate::app::{LiveSession, SessionCommand};

/// The event that a command makes.
pub(super) fn event(command: SessionCommand, now: Timestamp) -> Event {
    match command {
        SessionCommand::Offer(lease) => Event::Offer(lease),
        SessionCommand::Cancel(attempt, reason) => Event::Cancel(attempt, reason),
        SessionCommand::Ended(attempt) => Event::Ended(attempt),
        SessionCommand::Probe(probe) => {
            let left = Duration::try_from(probe.expires_at.duration_since(now)).unwrap_or_default();
            Event::Probe(Box::new(messages::probe(&probe, left)))
        }
        SessionCommand::Drain(after) => Event::Drain(after),
    }
}

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
