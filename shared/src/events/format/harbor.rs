//! Harbor, default format: `{"type": "PUSH_ARTIFACT", "occur_at": SECONDS, "event_data": {..}}`, one event a request, which may concern several
//! artifacts. Its other format is CloudEvents, and told by `specversion`.
//!
//! `PUSH_ARTIFACT` and `DELETE_ARTIFACT` are read; `PULL_ARTIFACT`, `SCANNING_*`, `QUOTA_*`, `REPLICATION`, `TAG_RETENTION` and others are
//! ignored: what a replication or a retention changes comes as pushes and deletions as well (not confirmed for every version). An artifact without
//! a tag has its digest in the tag's place.
//!
//! Sources: "Configure Webhook Notifications" of Harbor's documentation, the notifier's code, `goharbor/community` proposal on the payload format.

use serde::Deserialize;

use super::cloud_events;
use crate::events::collect::{Collector, Hint};
use crate::events::json::{List, Moment, Object, Text, parse};
use crate::events::{Headers, Notification, NotificationError, PushAction, Sender};

#[derive(Default, Deserialize)]
#[serde(default)]
struct Envelope {
    specversion: Text,
    #[serde(rename = "type")]
    kind: Text,
    occur_at: Moment,
    event_data: Object<Data>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Data {
    resources: List<Object<Resource>>,
    repository: Object<Repository>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Resource {
    digest: Text,
    tag: Text,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Repository {
    repo_full_name: Text,
}

pub(in crate::events) fn read(headers: &dyn Headers, body: &[u8]) -> Result<Notification, NotificationError> {
    let sender = Sender::Harbor;
    if cloud_events::is_binary(headers) {
        return cloud_events::read(sender, headers, body);
    }
    let envelope: Object<Envelope> = parse(body)?;
    if !envelope.specversion.is_absent() {
        return cloud_events::read(sender, headers, body);
    }
    if envelope.kind.as_str().is_empty() {
        return Err(NotificationError::Shape { sender });
    }
    let mut collector = Collector::new(None);
    let action = match envelope.kind.as_str() {
        "PUSH_ARTIFACT" => Some(PushAction::Pushed),
        "DELETE_ARTIFACT" => Some(PushAction::Deleted),
        _ => None,
    };
    let data = &envelope.event_data;
    let hint = Hint {
        at: envelope.occur_at.0,
        ..Hint::default()
    };
    collect(action, &hint, &data.repository, &data.resources, &mut collector);
    Ok(collector.finish())
}

/// The artifacts of an event, `hint` being what they have in common.
pub(super) fn collect(
    action: Option<PushAction>,
    hint: &Hint<'_>,
    repository: &Repository,
    resources: &List<Object<Resource>>,
    collector: &mut Collector<'_>,
) {
    let Some(action) = action else {
        return collector.ignore();
    };
    if resources.items.is_empty() {
        return collector.refuse(1);
    }
    for resource in &resources.items {
        let hint = Hint {
            repository: repository.repo_full_name.as_str(),
            tag: &resource.tag,
            digest: &resource.digest,
            ..*hint
        };
        match action {
            PushAction::Deleted => collector.deleted(&hint),
            _ => collector.pushed(&hint),
        }
    }
    collector.refuse(resources.beyond);
}
