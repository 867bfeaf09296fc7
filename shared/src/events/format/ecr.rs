//! Amazon's registry, as EventBridge hands its events on: `{"source": "aws.ecr", "detail-type": .., "detail": {..}}`; also inside of a message
//! of SNS (`{"Type": "Notification", "Message": TEXT}`).
//!
//! | `detail-type` | what it becomes |
//! | --- | --- |
//! | `ECR Image Action` | `action-type` `PUSH` and `DELETE`, if `result` is `SUCCESS` |
//! | `ECR Replication Action` | a push, if `result` is `SUCCESS`: it comes from where the image has arrived |
//! | `ECR Pull Through Cache Action` | a push, if `sync-status` is `SUCCESS` |
//! | others, such as scans | ignored |
//!
//! SNS asks whether a subscription is wanted (`SubscriptionConfirmation`); the address that it gives is never visited, so whoever owns the
//! subscription has to confirm it. An API destination of EventBridge needs no such thing, and can send `Authorization`.
//!
//! Source: "Amazon ECR events and EventBridge", docs.aws.amazon.com. Not confirmed: whether a deletion of an image with several tags comes once a tag.

use serde::Deserialize;

use crate::events::collect::{Collector, Hint};
use crate::events::json::{Moment, Object, Text, parse};
use crate::events::{Headers, Notification, NotificationError, Sender};

#[derive(Default, Deserialize)]
#[serde(default)]
struct Event {
    id: Text,
    source: Text,
    #[serde(rename = "detail-type")]
    detail_type: Text,
    time: Moment,
    detail: Object<Detail>,
    // SNS's.
    #[serde(rename = "Type")]
    kind: Text,
    #[serde(rename = "Message")]
    message: Text,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct Detail {
    result: Text,
    sync_status: Text,
    action_type: Text,
    repository_name: Text,
    image_digest: Text,
    image_tag: Text,
}

pub(in crate::events) fn read(_: &dyn Headers, body: &[u8]) -> Result<Notification, NotificationError> {
    let shape = NotificationError::Shape { sender: Sender::Ecr };
    let mut collector = Collector::new(None);
    let event: Object<Event> = parse(body)?;
    match event.kind.as_str() {
        "" if event.detail_type.as_str().is_empty() => return Err(shape),
        "" => event.collect(&mut collector),
        "Notification" => match parse::<Object<Event>>(event.message.as_str().as_bytes()) {
            Ok(inner) => inner.collect(&mut collector),
            Err(_) => collector.refuse(1),
        },
        _ => collector.ignore(),
    }
    Ok(collector.finish())
}

impl Event {
    fn collect(&self, collector: &mut Collector<'_>) {
        let detail = &self.detail;
        let hint = Hint {
            id: self.id.shown(),
            at: self.time.0,
            repository: detail.repository_name.as_str(),
            tag: &detail.image_tag,
            digest: &detail.image_digest,
        };
        let succeeded = detail.result.is("SUCCESS") || detail.sync_status.is("SUCCESS");
        if self.source.as_str() != "aws.ecr" || !succeeded {
            return collector.ignore();
        }
        match (self.detail_type.as_str(), detail.action_type.as_str()) {
            ("ECR Image Action", "PUSH") => collector.pushed(&hint),
            ("ECR Image Action", "DELETE") => collector.deleted(&hint),
            ("ECR Replication Action" | "ECR Pull Through Cache Action", _) => collector.pushed(&hint),
            _ => collector.ignore(),
        }
    }
}
