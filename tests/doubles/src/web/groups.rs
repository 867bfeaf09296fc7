//! Groups.

use std::sync::Arc;

use axum::extract::{Path, State as Shared};
use axum::response::Response;
use http::{HeaderMap, Uri};
use serde_json::{Value, json};

use super::answers::{self, Refused};
use super::host::{Ask, State};
use super::instance::{Group, Instance};
use super::projects;

pub(super) async fn list(Shared(state): Shared<Arc<State>>, headers: HeaderMap, uri: Uri) -> Response {
    state.answer(&headers, &uri, |ask| {
        ask.caller.reading()?;
        let groups: Vec<&Group> = ask
            .instance
            .groups
            .iter()
            .filter(|group| sees(ask, group))
            .collect();
        let rows = ask.query.rows(groups.len(), true)?;
        let shown = groups[rows].iter().map(|group| describe(ask, group)).collect();
        Ok(ask.query.offset(shown, groups.len()))
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
        Ok(answers::ok(&describe(ask, find(ask, &id)?)))
    })
}

pub(super) async fn projects(
    Shared(state): Shared<Arc<State>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    state.answer(&headers, &uri, |ask| {
        ask.caller.reading()?;
        let group = find(ask, &id)?;
        let below = ask.query.is("include_subgroups", "true");
        projects::page(ask, |project| {
            Instance::contains(group, project) && (below || project.namespace() == group.path)
        })
    })
}

/// A group exists for whoever sees something in it.
fn sees(ask: &Ask<'_>, group: &Group) -> bool {
    let mut projects = ask.instance.projects.iter();
    projects.any(|project| Instance::contains(group, project) && ask.caller.sees(project))
}

pub(super) fn find<'a>(ask: &Ask<'a>, id: &str) -> Result<&'a Group, Refused> {
    let found = ask.instance.find_group(id).filter(|group| sees(ask, group));
    found.ok_or_else(|| answers::not_found("Group"))
}

fn describe(ask: &Ask<'_>, group: &Group) -> Value {
    json!({
        "id": group.id,
        "name": group.path,
        "path": group.path.rsplit('/').next(),
        "full_path": group.path,
        "full_name": group.path.replace('/', " / "),
        "parent_id": null,
        "visibility": "private",
        "web_url": format!("{}/groups/{}", ask.url, group.path),
    })
}
