//! Azure's registry, in three shapes: its own webhook, `{"action": "push", "target": {..}}`; Event Grid's, a list of
//! `{"eventType": "Microsoft.ContainerRegistry.ImagePushed", "data": {..}}`, in older examples without the part before the last dot; and Event
//! Grid's CloudEvents, with `type` instead. `data` is what the webhook has, with Distribution's `target`.
//!
//! `push` and `delete` are read. Ignored are `quarantine`, `ping` and charts of the time before OCI, which are in no repository; and the message
//! by which Event Grid asks whether a subscription is wanted (`Microsoft.EventGrid.SubscriptionValidationEvent`): nothing is sent back that a
//! request brought along, so whoever owns the subscription has to confirm it. The webhook needs no such thing.
//!
//! Sources: "Azure Container Registry webhook reference" and "Azure Container Registry as an Event Grid source", learn.microsoft.com.

use serde::Deserialize;

use super::distribution::Target;
use crate::events::collect::{Collector, Hint};
use crate::events::json::{Moment, Object, OneOrMany, Text, parse};
use crate::events::{Headers, Notification, NotificationError, Sender};

#[derive(Default, Deserialize)]
#[serde(default)]
struct Event {
    id: Text,
    // The webhook's own.
    timestamp: Moment,
    action: Text,
    target: Object<Target>,
    // Event Grid's.
    #[serde(rename = "eventType")]
    event_type: Text,
    #[serde(rename = "eventTime")]
    event_time: Moment,
    // Event Grid's in the form of CloudEvents.
    #[serde(rename = "type")]
    kind: Text,
    time: Moment,
    data: Object<Data>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Data {
    action: Text,
    target: Object<Target>,
}

pub(in crate::events) fn read(_: &dyn Headers, body: &[u8]) -> Result<Notification, NotificationError> {
    let shape = NotificationError::Shape { sender: Sender::Acr };
    let mut collector = Collector::new(None);
    match parse::<OneOrMany<Object<Event>>>(body)? {
        OneOrMany::One(event) => {
            let types = [&event.action, &event.event_type, &event.kind];
            if types.iter().all(|text| text.as_str().is_empty()) {
                return Err(shape);
            }
            event.collect(&mut collector);
        }
        OneOrMany::Many(events) => {
            for event in &events.items {
                event.collect(&mut collector);
            }
            collector.refuse(events.beyond);
        }
        OneOrMany::Other => return Err(shape),
    }
    Ok(collector.finish())
}

impl Event {
    fn collect(&self, collector: &mut Collector<'_>) {
        let hint = Hint {
            id: self.id.shown(),
            at: self.timestamp.0.or(self.event_time.0).or(self.time.0),
            ..Hint::default()
        };
        let wrapped = self.event_type.shown().or(self.kind.shown());
        match wrapped {
            Some(kind) if is_image(kind) => collect(&self.data.action, &self.data.target, &hint, collector),
            Some(_) => collector.ignore(),
            None => collect(&self.action, &self.target, &hint, collector),
        }
    }
}

/// Whether this type of Event Grid's is of an image.
pub(super) fn is_image(kind: &str) -> bool {
    let name = kind.strip_prefix("Microsoft.ContainerRegistry.").unwrap_or(kind);
    matches!(name, "ImagePushed" | "ImageDeleted")
}

pub(super) fn collect(action: &Text, target: &Target, hint: &Hint<'_>, collector: &mut Collector<'_>) {
    let hint = Hint {
        repository: target.repository.as_str(),
        tag: &target.tag,
        digest: &target.digest,
        ..*hint
    };
    match action.as_str() {
        "" => collector.refuse(1),
        "push" => collector.pushed(&hint),
        "delete" => collector.deleted(&hint),
        _ => collector.ignore(),
    }
}
