//! From what formats hand over to a [`Notification`]: the place where every name is checked.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::json::{ABSENT, Text};
use super::{EventId, Notification, PushAction, PushEvent};
use crate::model::{Digest, RepositoryName, TagName, limits};

/// What a format says of an event, unchecked.
pub(super) struct Hint<'a> {
    pub(super) id: Option<&'a str>,
    pub(super) at: Option<Timestamp>,
    /// Empty if there is none.
    pub(super) repository: &'a str,
    /// A tag, or a digest in its place.
    pub(super) tag: &'a Text,
    pub(super) digest: &'a Text,
}

impl Default for Hint<'_> {
    fn default() -> Self {
        Self {
            id: None,
            at: None,
            repository: "",
            tag: &ABSENT,
            digest: &ABSENT,
        }
    }
}

/// What two events that say the same have in common.
type Meaning = (PushAction, RepositoryName, Option<TagName>, Option<Digest>);

/// A notification while it is read.
pub(super) struct Collector<'a> {
    delivery: Option<&'a str>,
    notification: Notification,
    seen: BTreeSet<Meaning>,
    /// How often each id was used.
    ids: BTreeMap<String, u32>,
}

impl<'a> Collector<'a> {
    /// `delivery` is the id of the whole notification, which events without one of their own have theirs from.
    pub(super) fn new(delivery: Option<&'a str>) -> Self {
        Self {
            delivery,
            notification: Notification::default(),
            seen: BTreeSet::new(),
            ids: BTreeMap::new(),
        }
    }

    /// An event that is of no interest.
    pub(super) fn ignore(&mut self) {
        self.notification.ignored = self.notification.ignored.saturating_add(1);
    }

    /// So many events that cannot be read, or are too many.
    pub(super) fn refuse(&mut self, count: usize) {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        self.notification.refused = self.notification.refused.saturating_add(count);
    }

    /// A tag was set. Content that no tag points to is of no interest: it is found by what refers to it.
    pub(super) fn pushed(&mut self, hint: &Hint<'_>) {
        match target(hint) {
            Some((_, None, _)) => self.ignore(),
            found => self.event(PushAction::Pushed, hint, found),
        }
    }

    /// A tag or a manifest was deleted.
    pub(super) fn deleted(&mut self, hint: &Hint<'_>) {
        match target(hint) {
            Some((_, None, None)) => self.refuse(1),
            found => self.event(PushAction::Deleted, hint, found),
        }
    }

    /// Something happened to a whole repository.
    pub(super) fn repository(&mut self, action: PushAction, hint: &Hint<'_>) {
        let found = hint.repository.parse().ok().map(|name| (name, None, None));
        self.event(action, hint, found);
    }

    fn event(&mut self, action: PushAction, hint: &Hint<'_>, found: Option<Target>) {
        let Some((repository, tag, digest)) = found else {
            return self.refuse(1);
        };
        let meaning = (action, repository, tag, digest);
        if self.seen.contains(&meaning) {
            return;
        }
        if self.notification.events.len() >= limits::EVENTS_PER_NOTIFICATION {
            return self.refuse(1);
        }
        self.seen.insert(meaning.clone());
        let id = hint.id.or(self.delivery).and_then(|id| self.id(id));
        let (action, repository, tag, digest) = meaning;
        self.notification.events.push(PushEvent {
            id,
            action,
            repository,
            tag,
            digest,
            happened_at: hint.at,
        });
    }

    /// The id as it is given, and with a number behind it for every further event: many formats have one id for all events of a notification.
    /// A second delivery is numbered in the same way.
    fn id(&mut self, text: &str) -> Option<EventId> {
        let id: EventId = text.parse().ok()?;
        let used = self.ids.entry(id.as_str().to_owned()).or_default();
        *used += 1;
        match *used {
            1 => Some(id),
            number => {
                let numbered = format!("{text}/{number}");
                // A sender that has such ids itself does not get one of them twice.
                self.ids
                    .insert(numbered.clone(), 1)
                    .map_or(numbered.parse().ok(), |_| None)
            }
        }
    }

    pub(super) fn finish(self) -> Notification {
        self.notification
    }
}

type Target = (RepositoryName, Option<TagName>, Option<Digest>);

/// The checked names; `None` if one of them is none. A digest in the place of a tag is no tag.
fn target(hint: &Hint<'_>) -> Option<Target> {
    let repository = hint.repository.parse().ok()?;
    let digest = match hint.digest {
        Text::Absent => None,
        Text::Other => return None,
        Text::Value(text) => Some(text.parse().ok()?),
    };
    match hint.tag {
        Text::Absent => Some((repository, None, digest)),
        Text::Other => None,
        Text::Value(text) => match digest_of(text) {
            Some(own) => Some((repository, None, digest.or(Some(own)))),
            None => Some((repository, Some(text.parse().ok()?), digest)),
        },
    }
}

/// The digest that stands in the place of a tag: as it is, or, since Artifactory has such folders, with `__` for the colon.
fn digest_of(text: &str) -> Option<Digest> {
    match text.strip_prefix("sha256__") {
        Some(hex) => format!("sha256:{hex}").parse().ok(),
        None => text.parse().ok(),
    }
}
