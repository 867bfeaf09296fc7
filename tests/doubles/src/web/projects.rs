//! Projects.

use std::sync::Arc;

use axum::extract::{Path, State as Shared};
use axum::response::Response;
use http::{HeaderMap, Uri};
use serde_json::{Value, json};

use super::answers::{self, Refused};
use super::host::{Ask, State};
use super::project::{Project, RegistryAccess};
use super::switches::FormerPaths;
use crate::registry::unique_layers;

pub(super) async fn list(Shared(state): Shared<Arc<State>>, headers: HeaderMap, uri: Uri) -> Response {
    state.answer(&headers, &uri, |ask| page(ask, |_| true))
}

pub(super) async fn show(
    Shared(state): Shared<Arc<State>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    state.answer(&headers, &uri, |ask| {
        ask.caller.reading()?;
        let former = ask.instance.find_former(&id);
        if let Some(project) = former.filter(|project| ask.caller.sees(project)) {
            return Ok(match ask.switches.former_paths {
                FormerPaths::Redirected => {
                    answers::moved(&format!("{}/api/v4/projects/{}", ask.url, project.id))
                }
                FormerPaths::Described => answers::ok(&describe(ask, project)),
            });
        }
        let project = ask.caller.project(ask.instance, &id)?;
        Ok(answers::ok(&describe(ask, project)))
    })
}

/// A page of the projects that satisfy `wanted` and the query's filters, by keyset or by offset.
pub(super) fn page(ask: &Ask<'_>, wanted: impl Fn(&Project) -> bool) -> Result<Response, Refused> {
    let (caller, query) = (ask.caller.reading()?, &ask.query);
    let level = query
        .get("min_access_level")
        .and_then(|text| text.parse::<u8>().ok());
    let fits = |project: &&Project| {
        let path = project.path.to_ascii_lowercase();
        caller.sees(project)
            && wanted(project)
            && (!query.is("membership", "true") || caller.is_member(project))
            && level.is_none_or(|level| caller.role(project) >= level)
            && query
                .get("archived")
                .is_none_or(|archived| project.archived == (archived == "true"))
            && query
                .get("visibility")
                .is_none_or(|visibility| project.visibility.as_str() == visibility)
            && query
                .get("search")
                .is_none_or(|part| path.contains(&part.to_ascii_lowercase()))
    };
    let mut projects: Vec<&Project> = ask.instance.projects.iter().filter(fits).collect();
    // The youngest first, unless asked for otherwise; numbers stand for times of creation.
    let ascending = query.is("sort", "asc");
    projects.sort_by_key(|project| project.id);
    if !ascending {
        projects.reverse();
    }
    if !query.keyset() {
        let rows = query.rows(projects.len(), true)?;
        let shown = projects[rows]
            .iter()
            .map(|project| describe(ask, project))
            .collect();
        return Ok(query.offset(shown, projects.len()));
    }
    if !query.is("order_by", "id") {
        return Err(answers::paging_refused(
            "Keyset pagination is not yet available for this type of request",
        ));
    }
    let marker = if ascending { "id_after" } else { "id_before" };
    let after = query.get(marker).and_then(|text| text.parse::<u64>().ok());
    let beyond = |project: &&&Project| match after {
        Some(after) if ascending => project.id > after,
        Some(after) => project.id < after,
        None => true,
    };
    let rest: Vec<_> = projects.iter().filter(beyond).collect();
    let shown = &rest[..query.per_page().min(rest.len())];
    let last = shown
        .last()
        .filter(|_| rest.len() > shown.len())
        .map(|last| last.id.to_string());
    let next = last.as_deref().map(|last| (marker, last));
    let shown = shown.iter().map(|project| describe(ask, project)).collect();
    Ok(query.keysets(shown, next))
}

fn describe(ask: &Ask<'_>, project: &Project) -> Value {
    let group = ask.instance.find_group(project.namespace());
    let mut body = json!({
        "id": project.id,
        "description": null,
        "name": project.name(),
        "name_with_namespace": project.path.replace('/', " / "),
        "path": project.name(),
        "path_with_namespace": project.path,
        "created_at": "2026-01-02T03:04:05.000Z",
        "default_branch": "main",
        "web_url": format!("{}/{}", ask.url, project.path),
        "namespace": {
            "id": group.map(|group| group.id),
            "name": project.namespace(),
            "path": project.namespace(),
            "kind": "group",
            "full_path": project.namespace(),
        },
    });
    if ask.query.is("simple", "true") {
        return body;
    }
    body["visibility"] = json!(project.visibility.as_str());
    body["archived"] = json!(project.archived);
    body["container_registry_enabled"] = json!(project.registry != RegistryAccess::Disabled);
    body["container_registry_access_level"] = json!(project.registry.as_str());
    if ask.switches.registry_enabled {
        let prefix = format!("{}/{}", ask.prefix, project.image_path());
        body["container_registry_image_prefix"] = json!(prefix);
    }
    if let Some(policy) = &project.expiration_policy {
        body["container_expiration_policy"] = policy.clone();
    }
    if ask.query.is("statistics", "true") && ask.database && ask.caller.role(project) > 0 {
        let there = ask
            .instance
            .repositories(ask.content, |other| other.id == project.id);
        let there = there
            .iter()
            .filter_map(|found| ask.content.repository(found.path.as_str()));
        body["statistics"] = json!({"container_registry_size": unique_layers(ask.content, there)});
    }
    body
}
