//! Artifactory: `{"domain": "docker", "event_type": "pushed", "data": {"repo_key": .., "image_name": .., "tag": .., "path": .., ..}}`. `pushed`,
//! `promoted` and `deleted` are read; other domains, events on files among them, are ignored. No ids and no times.
//!
//! The checksum is that of the file, which is the manifest's digest where the file is a manifest. Repositories are named `KEY/IMAGE`: see
//! [`Sender::below_key`].
//!
//! Sources: "Event Types" and "Predefined Webhooks", docs.jfrog.com; `use_secret_for_signing` in the documentation of the product's Terraform provider.
//! Not confirmed: that `repo_key` of a promotion is the repository that was promoted to.

use serde::Deserialize;

use crate::events::collect::{Collector, Hint};
use crate::events::json::{Object, Text, parse};
use crate::events::{Headers, Notification, NotificationError, Sender};
use crate::model::Digest;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Event {
    domain: Text,
    event_type: Text,
    data: Object<Data>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Data {
    repo_key: Text,
    path: Text,
    name: Text,
    sha256: Text,
    image_name: Text,
    tag: Text,
}

pub(in crate::events) fn read(_: &dyn Headers, body: &[u8]) -> Result<Notification, NotificationError> {
    let event: Object<Event> = parse(body)?;
    let mut collector = Collector::new(None);
    if event.domain.as_str().is_empty() || event.event_type.as_str().is_empty() {
        return Err(NotificationError::Shape {
            sender: Sender::Artifactory,
        });
    }
    if event.domain.as_str() != "docker" {
        collector.ignore();
        return Ok(collector.finish());
    }
    let data = &event.data;
    let repository = format!("{}/{}", data.repo_key.as_str(), data.image());
    let digest = data.digest();
    let hint = Hint {
        repository: &repository,
        tag: &data.tag,
        digest: &digest,
        ..Hint::default()
    };
    match event.event_type.as_str() {
        "pushed" | "promoted" => collector.pushed(&hint),
        "deleted" => collector.deleted(&hint),
        _ => collector.ignore(),
    }
    Ok(collector.finish())
}

impl Data {
    /// `image_name`, else what is in front of `/TAG/FILE` in the path.
    fn image(&self) -> &str {
        self.image_name.shown().unwrap_or_else(|| {
            let folder = self
                .path
                .as_str()
                .rsplit_once('/')
                .map_or("", |(folder, _)| folder);
            folder.rsplit_once('/').map_or("", |(image, _)| image)
        })
    }

    fn digest(&self) -> Text {
        let is_manifest = matches!(self.name.as_str(), "manifest.json" | "list.manifest.json");
        let digest = format!("sha256:{}", self.sha256.as_str());
        match is_manifest && digest.parse::<Digest>().is_ok() {
            true => digest.as_str().into(),
            false => Text::Absent,
        }
    }
}
