//! The tags of a repository.

use std::sync::Arc;

use axum::extract::{Path, State as Shared};
use axum::response::Response;
use http::{HeaderMap, Uri};
use portolan_shared::model::TagName;
use serde_json::{Value, json};

use super::answers::{self, Refused};
use super::host::{Ask, State};
use super::repositories::tag_item;
use crate::content::{ManifestFacts, Repository};

pub(super) async fn list(
    Shared(state): Shared<Arc<State>>,
    Path((project, id)): Path<(String, String)>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    state.answer(&headers, &uri, |ask| {
        let (path, repository) = find(ask, &project, &id)?;
        let mut tags: Vec<&TagName> = repository.tags().keys().collect();
        let query = &ask.query;
        let item = |tag: &&TagName| tag_item(ask, &path, tag.as_str());
        if !query.keyset() {
            let rows = query.rows(tags.len(), false)?;
            let shown: Vec<Value> = tags[rows].iter().map(item).collect();
            return Ok(query.offset(shown, tags.len()));
        }
        if !ask.database {
            return Err(answers::paging_refused("Method Not Allowed"));
        }
        let descending = query.is("sort", "desc");
        if descending {
            tags.reverse();
        }
        if let Some(last) = query.get("last") {
            tags.retain(|tag| {
                if descending {
                    tag.as_str() < last
                } else {
                    tag.as_str() > last
                }
            });
        }
        let shown = &tags[..query.per_page().min(tags.len())];
        let last = shown.last().filter(|_| tags.len() > shown.len());
        let next = last.map(|last| ("last", last.as_str()));
        Ok(query.keysets(shown.iter().map(item).collect(), next))
    })
}

pub(super) async fn show(
    Shared(state): Shared<Arc<State>>,
    Path((project, id, tag)): Path<(String, String, String)>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    state.answer(&headers, &uri, |ask| {
        let (path, repository) = find(ask, &project, &id)?;
        let digest = repository.tags().get(tag.as_str());
        let digest = digest.ok_or_else(|| answers::not_found("Tag"))?;
        let facts = ask
            .content
            .manifests()
            .get(digest)
            .map(|manifest| &manifest.facts);
        // What an index lacks: it has no config to be known by.
        let config = facts.and_then(|facts| facts.config.as_ref());
        let revision = config.map(|(config, _)| config.to_string().trim_start_matches("sha256:").to_owned());
        let revision = revision.unwrap_or_default();
        let created = repository
            .pushed(&tag)
            .created
            .strftime("%Y-%m-%dT%H:%M:%S%.3f+00:00");
        let mut body = tag_item(ask, &path, &tag);
        body["revision"] = json!(revision);
        body["short_revision"] = json!(revision.get(..9).unwrap_or_default());
        body["digest"] = json!(digest);
        body["created_at"] = config.map_or(Value::Null, |_| json!(created.to_string()));
        body["total_size"] = config.map_or(Value::Null, |_| json!(facts.map(ManifestFacts::size)));
        Ok(answers::ok(&body))
    })
}

/// A repository of a project, by its number.
fn find<'a>(ask: &Ask<'a>, project: &str, id: &str) -> Result<(String, &'a Repository), Refused> {
    ask.caller.reading()?;
    let project = ask.caller.project_with_images(ask.instance, project)?;
    let all = ask
        .instance
        .repositories(ask.content, |other| other.id == project.id);
    let found = all.iter().find(|found| Ok(found.id) == id.parse());
    let found = found.and_then(|found| {
        Some((
            found.path.to_string(),
            ask.content.repository(found.path.as_str())?,
        ))
    });
    found.ok_or_else(|| answers::not_found("Container Repository"))
}
