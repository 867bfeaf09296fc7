//! CloudEvents 1.0 over HTTP: structured mode, batches, and binary mode, in which the attributes are headers and the body is the data alone.
//!
//! What the data is, the type says: `harbor.artifact.pushed` and `.deleted`, `zotregistry.image.*`, `Microsoft.ContainerRegistry.Image*`. Other
//! types are ignored. No sender's event is read by the name of another: Harbor's address takes Harbor's types alone.
//!
//! An id is one among the events of its source alone (section 3.1.1, "id" and "source"): two sources may use the same one.
//!
//! Sources: CloudEvents specification 1.0.2 with its HTTP binding and JSON format; for the data, the files of the products.

use std::borrow::Cow;

use serde::Deserialize;

use super::{acr, harbor, zot};
use crate::events::collect::{Collector, Hint};
use crate::events::json::{List, Moment, Object, OneOrMany, Text, parse};
use crate::events::{EventId, Headers, Notification, NotificationError, PushAction, Sender};

#[derive(Default, Deserialize)]
#[serde(default)]
struct Event {
    #[serde(rename = "type")]
    kind: Text,
    id: Text,
    source: Text,
    time: Moment,
    data: Object<Data>,
}

/// The data of every type that is read: their members have different names.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Data {
    // Harbor
    resources: List<Object<harbor::Resource>>,
    repository: Object<harbor::Repository>,
    // Azure
    action: Text,
    target: Object<super::distribution::Target>,
    // Zot
    name: Text,
    reference: Text,
    digest: Text,
}

/// Whether the attributes of the event are headers.
pub(super) fn is_binary(headers: &dyn Headers) -> bool {
    headers.get("ce-type").is_some()
}

pub(in crate::events) fn read(
    sender: Sender,
    headers: &dyn Headers,
    body: &[u8],
) -> Result<Notification, NotificationError> {
    let mut collector = Collector::new(None);
    if let Some(kind) = headers.get("ce-type") {
        let time = headers.get("ce-time").and_then(|text| text.parse().ok());
        let data: Object<Data> = parse(body)?;
        collect(
            sender,
            kind,
            id(headers.get("ce-id"), headers.get("ce-source")).as_deref(),
            Moment(time),
            &data,
            &mut collector,
        );
        return Ok(collector.finish());
    }
    let shape = NotificationError::Shape { sender };
    let one = |event: &Event, collector: &mut Collector<'_>| {
        let id = id(event.id.shown(), event.source.shown());
        let (kind, id) = (event.kind.as_str(), id.as_deref());
        collect(sender, kind, id, event.time, &event.data, collector);
    };
    match parse::<OneOrMany<Object<Event>>>(body)? {
        OneOrMany::One(event) if event.kind.as_str().is_empty() => return Err(shape),
        OneOrMany::One(event) => one(&event, &mut collector),
        OneOrMany::Many(events) => {
            for event in &events.items {
                one(event, &mut collector);
            }
            collector.refuse(events.beyond);
        }
        OneOrMany::Other => return Err(shape),
    }
    Ok(collector.finish())
}

/// By which a second delivery is known. What is no id stays what it is: it is not taken for one.
fn id<'e>(id: Option<&'e str>, source: Option<&str>) -> Option<Cow<'e, str>> {
    let text = id?;
    let Some(source) = source.filter(|source| !source.is_empty()) else {
        return Some(Cow::Borrowed(text));
    };
    Some(match text.parse::<EventId>() {
        Ok(id) => Cow::Owned(id.of_source(source).to_string()),
        Err(_) => Cow::Borrowed(text),
    })
}

fn collect(
    sender: Sender,
    kind: &str,
    id: Option<&str>,
    time: Moment,
    data: &Data,
    collector: &mut Collector<'_>,
) {
    let any = sender == Sender::CloudEvents;
    let hint = Hint {
        id,
        at: time.0,
        ..Hint::default()
    };
    if kind.is_empty() {
        return collector.refuse(1);
    }
    if let Some(kind) = kind
        .strip_prefix("harbor.")
        .filter(|_| any || sender == Sender::Harbor)
    {
        let action = match kind {
            "artifact.pushed" => Some(PushAction::Pushed),
            "artifact.deleted" => Some(PushAction::Deleted),
            _ => None,
        };
        return harbor::collect(action, &hint, &data.repository, &data.resources, collector);
    }
    if let Some(kind) = kind
        .strip_prefix("zotregistry.")
        .filter(|_| any || sender == Sender::Zot)
    {
        let data = zot::Data {
            name: &data.name,
            reference: &data.reference,
            digest: &data.digest,
        };
        return zot::collect(kind, &data, &hint, collector);
    }
    if any && acr::is_image(kind) {
        return acr::collect(&data.action, &data.target, &hint, collector);
    }
    collector.ignore();
}
