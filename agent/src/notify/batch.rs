//! What is told to the control plane in one message.

use std::sync::Arc;

use portolan_shared::model::{EventSubject, RelayedEvent, RelayedEvents};
use portolan_shared::process::Uptime;

/// Events of one message together, in bytes: a heartbeat that is due behind it must not wait for long.
pub(super) const BYTES: usize = 64 * 1024;
/// What one event takes beside its names, at most: tags, lengths, action, time, number.
const BESIDE_NAMES: usize = 64;
/// The longest digest.
const DIGEST_BYTES: usize = 64;

/// A message that was told and not acknowledged. It is told again with the same number and content.
#[derive(Debug)]
pub(super) struct InFlight {
    pub(super) batch: Arc<RelayedEvents>,
    /// The session over which it was told last.
    pub(super) session: u64,
    /// When.
    pub(super) sent: Uptime,
}

/// No less than an event takes on the wire.
pub(super) fn bytes(event: &RelayedEvent) -> usize {
    let subject = match &event.subject {
        EventSubject::Tag(repository, tag) => repository.as_str().len() + tag.as_str().len(),
        EventSubject::Digest(repository, _) => repository.as_str().len() + DIGEST_BYTES,
        EventSubject::Repository(repository) | EventSubject::EveryTag(repository) => {
            repository.as_str().len()
        }
        EventSubject::Registry => 0,
    };
    event.registry.as_str().len() + subject + BESIDE_NAMES
}
