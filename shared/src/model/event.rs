//! What push events are about, and how a sensor relays those that it was told of.

use jiff::Timestamp;

use super::digest::Digest;
use super::names::{RegistryName, RepositoryName, TagName};
use super::words::words;

/// What has to be looked at because of a push event. A hint: whatever an event said of it is not known before the registry was asked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventSubject {
    /// A tag that may have been pushed, moved or deleted.
    Tag(RepositoryName, TagName),
    /// The tags that are known to point to a digest that may be gone.
    Digest(RepositoryName, Digest),
    /// The tags that are known of a repository that may be gone or renamed.
    Repository(RepositoryName),
    /// Every tag of a repository, known or not: more has happened in it than is kept apart.
    EveryTag(RepositoryName),
    /// Anything: events were lost.
    Registry,
}

impl EventSubject {
    /// The repository that it is, or is in; none if it is the whole registry.
    #[must_use]
    pub fn repository(&self) -> Option<&RepositoryName> {
        match self {
            Self::Tag(repository, _)
            | Self::Digest(repository, _)
            | Self::Repository(repository)
            | Self::EveryTag(repository) => Some(repository),
            Self::Registry => None,
        }
    }
}

words! {
    /// What a sensor was told of something in a registry, or why it asks for a look at the whole of it.
    EventAction {
        /// It was pushed.
        Pushed = "pushed",
        /// It was deleted.
        Deleted = "deleted",
        /// The repository was deleted.
        RepositoryDeleted = "repository_deleted",
        /// The repository has another name now.
        RepositoryRenamed = "repository_renamed",
        /// The sensor has begun to listen: what came before is not known.
        Started = "started",
        /// More came than the sensor could keep.
        Overflowed = "overflowed",
    }
}

/// An event on its way from a sensor: one or several of the same subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayedEvent {
    /// The registry's name, as the sensor's administrator has it.
    pub registry: RegistryName,
    /// What it is about.
    pub subject: EventSubject,
    /// What the first of them said.
    pub action: EventAction,
    /// When the first of them came, by the sensor's clock.
    pub received_at: Timestamp,
    /// How many are told as one; at least 1.
    pub count: u32,
}

/// What came in at a sensor for a registry and is no event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotifyCount {
    /// The registry's name; none if it is not known which.
    pub registry: Option<RegistryName>,
    /// Notifications of things that change no inventory.
    pub ignored: u64,
    /// Notifications that were not authentic, malformed, too large or too many.
    pub refused: u64,
    /// Why the last one was refused, as a word.
    pub last_refused: Option<String>,
}

/// What a sensor relays at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayedEvents {
    /// Counts up from 1 since the agent's start. What is sent again has the number that it had.
    pub number: u64,
    /// At most [`RELAYED_EVENTS`](super::limits::RELAYED_EVENTS).
    pub events: Vec<RelayedEvent>,
    /// At most [`RELAYED_COUNTS`](super::limits::RELAYED_COUNTS).
    pub counts: Vec<NotifyCount>,
}
