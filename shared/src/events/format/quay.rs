//! Quay: a repository, its address in `docker_url`, and `updated_tags` where it is about a push. No digests: the tags are asked for.
//!
//! Events without `updated_tags` are builds, scans, mirrors and expiries, and ignored: Quay says nothing of deletions. Very old releases have an
//! object there, from tags to the ids of images.
//!
//! Sources: "Repository Notifications" of Red Hat Quay's and quay.io's documentation, `notifications/` of its code.

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess};

use crate::events::collect::{Collector, Hint};
use crate::events::json::{Lenient, List, Object, Text, lenient, parse};
use crate::events::{Headers, Notification, NotificationError, Sender};
use crate::model::limits;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Event {
    repository: Text,
    namespace: Text,
    name: Text,
    docker_url: Text,
    updated_tags: Tags,
}

/// The members of a list, or the keys of an object.
#[derive(Default)]
struct Tags {
    are_there: bool,
    list: List<Text>,
}

impl<'de> Lenient<'de> for Tags {
    fn other() -> Self {
        Self::default()
    }

    fn list<A: SeqAccess<'de>>(list: A) -> Result<Self, A::Error> {
        Ok(Self {
            are_there: true,
            list: List::of(list)?,
        })
    }

    fn object<A: MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
        let mut list = List::default();
        while let Some((tag, IgnoredAny)) = map.next_entry::<Text, IgnoredAny>()? {
            if list.items.len() < limits::EVENTS_PER_NOTIFICATION {
                list.items.push(tag);
            } else {
                list.beyond += 1;
            }
        }
        Ok(Self {
            are_there: true,
            list,
        })
    }
}

impl<'de> Deserialize<'de> for Tags {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        lenient(deserializer)
    }
}

pub(in crate::events) fn read(_: &dyn Headers, body: &[u8]) -> Result<Notification, NotificationError> {
    let event: Object<Event> = parse(body)?;
    if event.docker_url.is_absent() && event.repository.is_absent() {
        return Err(NotificationError::Shape { sender: Sender::Quay });
    }
    let mut collector = Collector::new(None);
    let tags = &event.updated_tags;
    if !tags.are_there || tags.list.items.is_empty() {
        collector.ignore();
    }
    let repository = match event.repository.shown() {
        Some(whole) => whole.to_owned(),
        None => format!("{}/{}", event.namespace.as_str(), event.name.as_str()),
    };
    for tag in &tags.list.items {
        let hint = Hint {
            repository: &repository,
            tag,
            ..Hint::default()
        };
        // In a list of tags, nothing is no tag.
        if tag.is_absent() {
            collector.refuse(1);
        } else {
            collector.pushed(&hint);
        }
    }
    collector.refuse(tags.list.beyond);
    Ok(collector.finish())
}
