//! GitHub's packages: `X-GitHub-Event: registry_package` or `package`, with the package in a member of that name. Other events, and packages that
//! are no containers, are ignored; so is every action but `published` and `updated`. GitHub says nothing of deletions.
//!
//! The name is in `package_version.package_url` (`ghcr.io/OWNER/NAME:TAG`), and else made of `namespace` and `name`; the registry knows it in lower
//! case. The tag is empty for what was pushed by digest, children of indexes among it.
//!
//! Sources: `registry_package` and `package` in "Webhook events and payloads", and the examples in `octokit/webhooks`. Those are edited by hand and
//! contradict themselves (a digest of 40 digits, a `namespace` with two parts): which of `namespace` and `package_url` is right where they differ
//! is not confirmed. `package_type` is `CONTAINER` today and was `docker`.

use serde::Deserialize;

use crate::events::collect::{Collector, Hint};
use crate::events::json::{ABSENT, Moment, Object, Text, parse};
use crate::events::{Headers, Notification, NotificationError, Sender};
use crate::model::{Digest, RepositoryName};

#[derive(Default, Deserialize)]
#[serde(default)]
struct Event {
    action: Text,
    registry_package: Object<Package>,
    package: Object<Package>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Package {
    name: Text,
    namespace: Text,
    ecosystem: Text,
    package_type: Text,
    package_version: Object<Version>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Version {
    version: Text,
    package_url: Text,
    updated_at: Moment,
    container_metadata: Object<Container>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Container {
    tag: Object<Tag>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Tag {
    name: Text,
    digest: Text,
}

pub(in crate::events) fn read(headers: &dyn Headers, body: &[u8]) -> Result<Notification, NotificationError> {
    let mut collector = Collector::new(headers.get("X-GitHub-Delivery"));
    let kind = headers.get("X-GitHub-Event");
    if kind.is_some_and(|kind| !matches!(kind, "registry_package" | "package")) {
        collector.ignore();
        return Ok(collector.finish());
    }
    let event: Object<Event> = parse(body)?;
    let package = [&event.registry_package, &event.package]
        .into_iter()
        .find(|package| package.is_there());
    let Some(package) = package else {
        return Err(NotificationError::Shape { sender: Sender::Ghcr });
    };
    let changed = matches!(event.action.as_str(), "published" | "updated");
    if changed && package.is_container() {
        package.collect(&mut collector);
    } else {
        collector.ignore();
    }
    Ok(collector.finish())
}

impl Package {
    fn is_container(&self) -> bool {
        let says = |text: &Text| text.is("container") || text.is("docker");
        says(&self.package_type)
            || says(&self.ecosystem)
            || self.package_version.container_metadata.is_there()
    }

    fn collect(&self, collector: &mut Collector<'_>) {
        let version = &self.package_version;
        let tag = &version.container_metadata.tag;
        let is_digest = |text: &&Text| text.as_str().parse::<Digest>().is_ok();
        let digest = [&tag.digest, &version.version].into_iter().find(is_digest);
        let repository = repository_of(version.package_url.as_str()).unwrap_or_else(|| {
            format!("{}/{}", self.namespace.as_str(), self.name.as_str()).to_ascii_lowercase()
        });
        collector.pushed(&Hint {
            at: version.updated_at.0.filter(|at| at.as_second() > 0),
            repository: &repository,
            tag: &tag.name,
            digest: digest.unwrap_or(&ABSENT),
            ..Hint::default()
        });
    }
}

/// The repository in `HOST/REPOSITORY:TAG`, where either end may be missing its text.
fn repository_of(url: &str) -> Option<String> {
    let (_, path) = url.split_once('/')?;
    let name = path.split(['@', ':']).next()?.to_ascii_lowercase();
    name.parse::<RepositoryName>().is_ok().then_some(name)
}
