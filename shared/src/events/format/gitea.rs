//! Gitea and Forgejo: `X-Gitea-Event: package` (or `X-Forgejo-Event`), `action` `created` or `deleted`, and a package of type `container`. Other events
//! and packages are ignored.
//!
//! The version is a tag, or a digest where a manifest was pushed by its digest; the registry knows repositories in lower case, and the releases
//! that have been looked at tags too. There is no other digest. A webhook must send JSON: what it sends as a form is signed differently and is not
//! read.
//!
//! Sources: `modules/structs/hook.go` and `package.go`, `services/webhook/deliver.go`, `routers/api/packages/container/manifest.go` of Gitea.
//! Not confirmed: that Forgejo sends all headers under its own name too; Gitea's are accepted from it.

use serde::Deserialize;

use crate::events::collect::{Collector, Hint};
use crate::events::json::{Moment, Object, Text, parse};
use crate::events::{Headers, Notification, NotificationError, Sender};

#[derive(Default, Deserialize)]
#[serde(default)]
struct Event {
    action: Text,
    package: Object<Package>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Package {
    owner: Object<Owner>,
    #[serde(rename = "type")]
    kind: Text,
    name: Text,
    version: Text,
    created_at: Moment,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Owner {
    login: Text,
    username: Text,
}

pub(in crate::events) fn read(headers: &dyn Headers, body: &[u8]) -> Result<Notification, NotificationError> {
    let either = |names: [&str; 2]| names.into_iter().find_map(|name| headers.get(name));
    let mut collector = Collector::new(either(["X-Forgejo-Delivery", "X-Gitea-Delivery"]));
    if either(["X-Forgejo-Event", "X-Gitea-Event"]).is_some_and(|kind| kind != "package") {
        collector.ignore();
        return Ok(collector.finish());
    }
    let event: Object<Event> = parse(body)?;
    let package = &event.package;
    if !package.is_there() {
        return Err(NotificationError::Shape {
            sender: Sender::Gitea,
        });
    }
    if !package.kind.is("container") {
        collector.ignore();
        return Ok(collector.finish());
    }
    let owner = package
        .owner
        .login
        .shown()
        .unwrap_or(package.owner.username.as_str());
    let repository = format!("{owner}/{}", package.name.as_str()).to_ascii_lowercase();
    let hint = Hint {
        repository: &repository,
        tag: &package.version,
        ..Hint::default()
    };
    match event.action.as_str() {
        "created" => collector.pushed(&Hint {
            at: package.created_at.0,
            ..hint
        }),
        "deleted" => collector.deleted(&hint),
        _ => collector.ignore(),
    }
    Ok(collector.finish())
}
