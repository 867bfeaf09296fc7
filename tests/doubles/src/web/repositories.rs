//! Image repositories, by project and by group.

use std::sync::Arc;

use axum::extract::{Path, State as Shared};
use axum::response::Response;
use http::{HeaderMap, Uri};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::answers::{self, Refused};
use super::groups;
use super::host::{Ask, State};
use super::instance::{Found, Instance};
use crate::registry::unique_layers;

pub(super) async fn of_project(
    Shared(state): Shared<Arc<State>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    state.answer(&headers, &uri, |ask| {
        ask.caller.reading()?;
        let project = ask.caller.project_with_images(ask.instance, &id)?;
        let found = ask
            .instance
            .repositories(ask.content, |other| other.id == project.id);
        page(ask, &found, true)
    })
}

/// Those of the groups below too. It takes `tags` and `tags_count` and does nothing about them.
pub(super) async fn of_group(
    Shared(state): Shared<Arc<State>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    state.answer(&headers, &uri, |ask| {
        ask.caller.reading()?;
        let group = groups::find(ask, &id)?;
        let found = ask.instance.repositories(ask.content, |project| {
            Instance::contains(group, project) && ask.caller.reads_images(project)
        });
        page(ask, &found, false)
    })
}

pub(super) async fn show(
    Shared(state): Shared<Arc<State>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    state.answer(&headers, &uri, |ask| {
        ask.caller.reading()?;
        let all = ask
            .instance
            .repositories(ask.content, |project| ask.caller.reads_images(project));
        let found = all.iter().find(|found| Ok(found.id) == id.parse());
        let found = found.ok_or_else(|| answers::not_found("Container Repository"))?;
        let mut body = describe(ask, found, true);
        if ask.query.is("size", "true") {
            let repository = ask.content.repository(found.path.as_str()).into_iter();
            // Without the database nobody has counted.
            let size = ask.database.then(|| unique_layers(ask.content, repository));
            body["size"] = json!(size);
        }
        Ok(answers::ok(&body))
    })
}

fn page(ask: &Ask<'_>, found: &[Found<'_>], tags: bool) -> Result<Response, Refused> {
    let rows = ask.query.rows(found.len(), false)?;
    let shown = found[rows]
        .iter()
        .map(|found| describe(ask, found, tags))
        .collect();
    Ok(ask.query.offset(shown, found.len()))
}

/// A time as the REST API writes it.
pub(super) fn time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

fn describe(ask: &Ask<'_>, found: &Found<'_>, with_tags: bool) -> Value {
    let path = found.path.as_str();
    let name = &path[found.project.path.len()..];
    let repository = ask.content.repository(path).cloned().unwrap_or_default();
    let tags = repository.tags();
    let created = tags
        .keys()
        .map(|tag| repository.pushed(tag.as_str()).created)
        .min();
    let mut body = json!({
        "id": found.id,
        "name": name.trim_start_matches('/'),
        "path": path,
        "project_id": found.project.id,
        "location": format!("{}/{path}", ask.prefix),
        "created_at": time(created.unwrap_or_default()),
        "cleanup_policy_started_at": null,
        "status": null,
    });
    if with_tags && ask.query.is("tags_count", "true") {
        body["tags_count"] = json!(tags.len());
    }
    if with_tags && ask.query.is("tags", "true") {
        body["tags"] = tags.keys().map(|tag| tag_item(ask, path, tag.as_str())).collect();
    }
    body
}

/// A tag in a list.
pub(super) fn tag_item(ask: &Ask<'_>, repository: &str, tag: &str) -> Value {
    let path = format!("{repository}:{tag}");
    json!({"name": tag, "path": path, "location": format!("{}/{path}", ask.prefix)})
}
