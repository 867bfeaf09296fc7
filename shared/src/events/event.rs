//! What is read out of a notification.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{SHA256, digest};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::model::{Digest, RepositoryName, TagName, limits, words};

words! {
    /// What a push event says has happened.
    PushAction {
        /// A tag was set, on new content or on what was there already.
        Pushed = "pushed",
        /// A tag, or a manifest with whatever tags it had, was deleted.
        Deleted = "deleted",
        /// A whole repository was deleted.
        RepositoryDeleted = "repository_deleted",
        /// A repository was renamed: there is one event for the old name and one for the new one, in this order.
        RepositoryRenamed = "repository_renamed",
    }
}

/// The id that a sender gave to an event, by which a second delivery is known, or what stands for it and its source: 1 to [`limits::EVENT_ID_BYTES`] visible ASCII characters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(Box<str>);

/// A text that is no id of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "not an event id: expected 1 to {} visible ASCII characters",
    limits::EVENT_ID_BYTES
)]
pub struct EventIdError;

impl EventId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands for the id together with its source, where it is one among the events of that source alone: a hash, in hexadecimal.
    pub(super) fn of_source(&self, source: &str) -> Self {
        // No id has a NUL in it.
        let hash = digest(&SHA256, &[self.0.as_bytes(), &[0], source.as_bytes()].concat());
        let hex: String = hash.as_ref()[..16]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Self(hex.into())
    }
}

impl FromStr for EventId {
    type Err = EventIdError;

    fn from_str(text: &str) -> Result<Self, EventIdError> {
        let fits = (1..=limits::EVENT_ID_BYTES).contains(&text.len());
        if fits && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(Self(text.into()))
        } else {
            Err(EventIdError)
        }
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl Serialize for EventId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for EventId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A hint that something has changed in a registry. Never a fact: only the registry knows, and is asked.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PushEvent {
    /// The sender's id of it; no two events of one notification have the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<EventId>,
    /// What has happened.
    pub action: PushAction,
    /// In which repository. Events of some senders may mean another name: see [`Sender::below_key`](super::Sender::below_key).
    pub repository: RepositoryName,
    /// To which tag. There always is one in what was pushed; never in what concerns a whole repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<TagName>,
    /// What the tag points to, or what was deleted, as the sender says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// When, as the sender says: its clock may be off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub happened_at: Option<Timestamp>,
}

/// What a notification holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Notification {
    /// What has happened, in the sender's order, each thing once; at most [`limits::EVENTS_PER_NOTIFICATION`].
    pub events: Vec<PushEvent>,
    /// Events that are of no interest here: pulls, blobs, manifests without a tag, scans, what did not succeed, other webhooks.
    pub ignored: u32,
    /// Events that are malformed or name what is no name, and those beyond the bound.
    pub refused: u32,
}
