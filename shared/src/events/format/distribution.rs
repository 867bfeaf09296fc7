//! CNCF Distribution and GitLab's registry: `{"events": [..]}`, one or several events a request
//! (`application/vnd.docker.distribution.events.v1+json`, not insisted on).
//!
//! | action | what it becomes |
//! | --- | --- |
//! | `push` with a tag | the tag was pushed; blobs, and manifests that were pushed by digest, have none and are ignored |
//! | `delete` of a tag, or of a manifest by its digest | it was deleted; blobs are ignored where their media type tells them |
//! | `delete` with neither | the repository was deleted |
//! | `rename` (GitLab) | both names |
//! | `pull`, `mount`, anything else | ignored |
//!
//! Sources: `docs/content/about/notifications.md` and `notifications/bridge.go` of Distribution, `docs/spec/gitlab/notifications.md` of GitLab's
//! registry 4.39. Not confirmed: whether the names in a rename are full paths in every case; what is no name is refused.

use serde::Deserialize;

use crate::events::collect::{Collector, Hint};
use crate::events::json::{Moment, Object, OneOrMany, Text, parse};
use crate::events::{Notification, NotificationError, PushAction, Sender};
use crate::model::MediaType;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Envelope {
    events: OneOrMany<Object<Event>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Event {
    id: Text,
    timestamp: Moment,
    action: Text,
    target: Object<Target>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Target {
    #[serde(rename = "mediaType")]
    pub(super) media_type: Text,
    pub(super) digest: Text,
    pub(super) repository: Text,
    pub(super) tag: Text,
    rename: Object<Rename>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Rename {
    from: Text,
    to: Text,
}

pub(super) fn read(sender: Sender, body: &[u8]) -> Result<Notification, NotificationError> {
    let envelope: Object<Envelope> = parse(body)?;
    let OneOrMany::Many(events) = &envelope.events else {
        return Err(NotificationError::Shape { sender });
    };
    let mut collector = Collector::new(None);
    for event in &events.items {
        event.collect(&mut collector);
    }
    collector.refuse(events.beyond);
    Ok(collector.finish())
}

impl Event {
    fn collect(&self, collector: &mut Collector<'_>) {
        let target = &self.target;
        let hint = Hint {
            id: self.id.shown(),
            at: self.timestamp.0,
            repository: target.repository.as_str(),
            tag: &target.tag,
            digest: &target.digest,
        };
        let is_blob = target.media_type.is(MediaType::OCTET_STREAM.as_str());
        match self.action.as_str() {
            // Not even an action: nothing that one could decide to ignore.
            "" => collector.refuse(1),
            "push" | "delete" if is_blob => collector.ignore(),
            "push" => collector.pushed(&hint),
            "delete" if target.tag.is_absent() && target.digest.is_absent() => {
                collector.repository(PushAction::RepositoryDeleted, &hint);
            }
            "delete" => collector.deleted(&hint),
            "rename" => {
                for name in [&target.rename.from, &target.rename.to] {
                    let repository = name.as_str();
                    collector.repository(PushAction::RepositoryRenamed, &Hint { repository, ..hint });
                }
            }
            _ => collector.ignore(),
        }
    }
}
