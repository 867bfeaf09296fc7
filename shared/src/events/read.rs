//! From a body to what it says.

use super::{Headers, Notification, Sender, format, standard};
use crate::model::limits;

/// Why nothing can be read out of a notification. Carries nothing that it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotificationError {
    /// Too much of it.
    #[error(
        "a notification of {bytes} bytes, more than the bound of {}",
        limits::NOTIFICATION_BYTES
    )]
    TooLarge {
        /// How much.
        bytes: usize,
    },
    /// Not JSON, or a member is there twice.
    #[error("not JSON at line {line}, column {column}")]
    Json {
        /// Where, from 1.
        line: usize,
        /// Where in the line.
        column: usize,
    },
    /// JSON without what makes it a notification of this sender: somebody else's was sent here.
    #[error("JSON, and no notification of {sender}")]
    Shape {
        /// Whose it should be.
        sender: Sender,
    },
}

/// Reads a notification of `sender`. That it is authentic is [`authenticate`](super::authenticate)'s to find out, before.
///
/// An event that is malformed is counted and spoils nothing beside it; an error means that nothing could be read at all.
pub fn read(sender: Sender, headers: &dyn Headers, body: &[u8]) -> Result<Notification, NotificationError> {
    if body.len() > limits::NOTIFICATION_BYTES {
        return Err(NotificationError::TooLarge { bytes: body.len() });
    }
    let mut notification = match sender {
        Sender::Distribution | Sender::GitLab => format::gitlab(sender, headers, body),
        Sender::Harbor => format::harbor(headers, body),
        Sender::Zot | Sender::CloudEvents => format::cloud_events(sender, headers, body),
        Sender::Quay => format::quay(headers, body),
        Sender::DockerHub => format::docker_hub(headers, body),
        Sender::Ghcr => format::ghcr(headers, body),
        Sender::Gitea => format::gitea(headers, body),
        Sender::Nexus => format::nexus(headers, body),
        Sender::Artifactory => format::artifactory(headers, body),
        Sender::Ecr => format::ecr(headers, body),
        Sender::Acr => format::acr(headers, body),
    }?;
    if let Some(message) = standard::message(headers) {
        number(&mut notification, message);
    }
    Ok(notification)
}

/// Numbers the events behind the id of their message. An id that is too long leaves them theirs.
fn number(notification: &mut Notification, message: &str) {
    for (at, event) in notification.events.iter_mut().enumerate() {
        let id = match at {
            0 => message.parse(),
            _ => format!("{message}/{}", at + 1).parse(),
        };
        if let Ok(id) = id {
            event.id = Some(id);
        }
    }
}
