//! Docker Hub: `{"push_data": {"tag": .., "pushed_at": SECONDS}, "repository": {"repo_name": .., ..}, "callback_url": ..}`. Pushes alone, one a
//! request, without digests; the callback is never called.
//!
//! Source: "Webhooks" of Docker Hub's documentation. `pushed_at` is a whole number there and was a fraction in older examples.

use serde::Deserialize;

use crate::events::collect::{Collector, Hint};
use crate::events::json::{Moment, Object, Text, parse};
use crate::events::{Headers, Notification, NotificationError, Sender};

#[derive(Default, Deserialize)]
#[serde(default)]
struct Event {
    push_data: Object<PushData>,
    repository: Object<Repository>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PushData {
    tag: Text,
    pushed_at: Moment,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Repository {
    repo_name: Text,
}

pub(in crate::events) fn read(_: &dyn Headers, body: &[u8]) -> Result<Notification, NotificationError> {
    let event: Object<Event> = parse(body)?;
    if !event.push_data.is_there() {
        return Err(NotificationError::Shape {
            sender: Sender::DockerHub,
        });
    }
    let mut collector = Collector::new(None);
    collector.pushed(&Hint {
        at: event.push_data.pushed_at.0,
        repository: event.repository.repo_name.as_str(),
        tag: &event.push_data.tag,
        ..Hint::default()
    });
    Ok(collector.finish())
}
