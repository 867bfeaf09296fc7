//! Nexus Repository: `X-Nexus-Webhook-Id: rm:repository:component` or `rm:repository:asset`, `repositoryName`, `action` `CREATED`, `UPDATED` or
//! `DELETED`, and the component or asset. Other webhooks, formats and actions are ignored.
//!
//! A component of format `docker` is a tag: `name` the image, `version` the tag, or a digest. An asset is a file: `v2/IMAGE/manifests/TAG` is a tag or,
//! with a digest, a manifest; blobs are ignored. Either is enough, and both together are the same event twice, of which each notification has one.
//!
//! Repositories are named `KEY/IMAGE`: see [`Sender::below_key`].
//!
//! Sources: "Example Headers And Payloads" and "Enabling A Repository Webhook Capability", help.sonatype.com; the names of assets as in Nexus 3's
//! REST API. Not confirmed: that names of assets begin with a slash in newer releases; both are read.

use serde::Deserialize;

use crate::events::collect::{Collector, Hint};
use crate::events::json::{Moment, Object, Text, parse};
use crate::events::{Headers, Notification, NotificationError, Sender};

#[derive(Default, Deserialize)]
#[serde(default)]
struct Event {
    timestamp: Moment,
    #[serde(rename = "repositoryName")]
    repository_name: Text,
    action: Text,
    component: Object<Component>,
    asset: Object<Asset>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Component {
    format: Text,
    name: Text,
    version: Text,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Asset {
    format: Text,
    name: Text,
}

pub(in crate::events) fn read(headers: &dyn Headers, body: &[u8]) -> Result<Notification, NotificationError> {
    let mut collector = Collector::new(headers.get("X-Nexus-Webhook-Delivery"));
    let kind = headers.get("X-Nexus-Webhook-Id");
    if kind.is_some_and(|kind| !matches!(kind, "rm:repository:component" | "rm:repository:asset")) {
        collector.ignore();
        return Ok(collector.finish());
    }
    let event: Object<Event> = parse(body)?;
    if event.component.is_there() {
        let component = &event.component;
        match component.format.is("docker") {
            true => event.collect(component.name.as_str(), &component.version, &mut collector),
            false => collector.ignore(),
        }
    } else if event.asset.is_there() {
        let asset = &event.asset;
        match manifest(asset.name.as_str()).filter(|_| asset.format.is("docker")) {
            Some((image, reference)) => event.collect(image, &reference.into(), &mut collector),
            None => collector.ignore(),
        }
    } else {
        return Err(NotificationError::Shape {
            sender: Sender::Nexus,
        });
    }
    Ok(collector.finish())
}

impl Event {
    fn collect(&self, image: &str, reference: &Text, collector: &mut Collector<'_>) {
        let repository = format!(
            "{}/{}",
            self.repository_name.as_str(),
            image.trim_start_matches('/')
        );
        let hint = Hint {
            at: self.timestamp.0,
            repository: &repository,
            tag: reference,
            ..Hint::default()
        };
        match self.action.as_str() {
            "CREATED" | "UPDATED" => collector.pushed(&hint),
            "DELETED" => collector.deleted(&hint),
            "" => collector.refuse(1),
            _ => collector.ignore(),
        }
    }
}

/// Image and reference of an asset that is a manifest.
fn manifest(path: &str) -> Option<(&str, &str)> {
    let path = path.strip_prefix('/').unwrap_or(path).strip_prefix("v2/")?;
    path.rsplit_once("/manifests/")
}
