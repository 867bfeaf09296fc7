//! `/api/v2.0`.

use axum::response::Response;
use portolan_shared::model::{Digest, RepositoryName};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use url::form_urlencoded;

use super::accounts::{Caller, project_of};
use super::product::Harbor;
use crate::content::{Content, Repository};
use crate::products::stage::{Question, json, text, with};
use crate::products::v2;

/// Rows on a page unless asked otherwise, and the most.
const PAGE: (usize, usize) = (10, 100);

pub(super) fn answer(harbor: &Harbor, content: &Content, question: &Question) -> Response {
    let path = question.path.trim_start_matches("/api/v2.0/");
    if path == "ping" {
        return text(200, "text/plain; charset=utf-8", "Pong");
    }
    let Ok(caller) = harbor.caller(question) else {
        return v2::error(401, "UNAUTHORIZED");
    };
    match path.split('/').collect::<Vec<_>>().as_slice() {
        ["systeminfo"] => json(200, &system(&caller)),
        ["projects"] => paged(question, &projects(harbor, content, &caller)),
        ["robots"] => match &caller {
            Caller::Stranger => v2::error(401, "UNAUTHORIZED"),
            Caller::Known(account) if account.lists_robots => {
                paged(question, &robots(harbor, content, question))
            }
            Caller::Known(_) => v2::error(403, "FORBIDDEN"),
        },
        ["projects", project, rest @ ..] => {
            let exists = content
                .repositories()
                .keys()
                .any(|name| project_of(name.as_str()) == *project);
            if !exists {
                return v2::error(404, "NOT_FOUND");
            }
            if !caller.sees(project, &harbor.public) {
                return match caller {
                    Caller::Stranger => v2::error(401, "UNAUTHORIZED"),
                    Caller::Known(_) => v2::error(403, "FORBIDDEN"),
                };
            }
            match rest {
                [] => json(200, &described(harbor, content, project)),
                ["repositories"] => paged(question, &repositories(content, project)),
                ["repositories", name, "artifacts"] => artifacts(harbor, content, question, project, name),
                _ => v2::error(404, "NOT_FOUND"),
            }
        }
        _ => v2::error(404, "NOT_FOUND"),
    }
}

fn system(caller: &Caller) -> Value {
    let mut told = json!({"auth_mode": "db_auth", "self_registration": false});
    if let Caller::Known(_) = caller {
        told["harbor_version"] = json!("v2.11.1-6b7ecba1");
    }
    told
}

fn projects(harbor: &Harbor, content: &Content, caller: &Caller) -> Vec<Value> {
    let visible = names(content)
        .into_iter()
        .filter(|name| caller.sees(name, &harbor.public));
    visible.map(|name| described(harbor, content, name)).collect()
}

fn names(content: &Content) -> BTreeSet<&str> {
    content
        .repositories()
        .keys()
        .map(|name| project_of(name.as_str()))
        .collect()
}

/// Projects are numbered from 1, in the order of their names.
fn id_of(content: &Content, project: &str) -> usize {
    names(content)
        .into_iter()
        .take_while(|name| *name < project)
        .count()
        + 1
}

/// The robots of the system, or of the project that `q` names by its number.
fn robots(harbor: &Harbor, content: &Content, question: &Question) -> Vec<Value> {
    let asked = question.parameter("q").unwrap_or_default();
    let of = asked.strip_prefix("Level=project,ProjectID=");
    let robots = harbor
        .accounts
        .iter()
        .filter(|account| account.name.starts_with("robot$"));
    robots
        .filter(|robot| match (robot.robots_project(), of) {
            (Some(project), Some(id)) => id_of(content, project).to_string() == id,
            (None, None) => true,
            _ => false,
        })
        .enumerate()
        .map(|(at, robot)| {
            let level = if of.is_some() { "project" } else { "system" };
            json!({"id": at + 1, "name": robot.name, "level": level, "expires_at": robot.expires_at, "disable": false})
        })
        .collect()
}

fn described(harbor: &Harbor, content: &Content, name: &str) -> Value {
    let id = id_of(content, name);
    let public = harbor.public.contains(name).to_string();
    let repositories = within(content, name).count();
    let mut project =
        json!({"project_id": id, "name": name, "repo_count": repositories, "metadata": {"public": public}});
    if harbor.mirrors.contains(name) {
        project["registry_id"] = json!(7);
    }
    project
}

fn within<'a>(
    content: &'a Content,
    project: &str,
) -> impl Iterator<Item = (&'a RepositoryName, &'a Repository)> {
    content
        .repositories()
        .iter()
        .filter(move |(name, _)| project_of(name.as_str()) == project)
}

fn repositories(content: &Content, project: &str) -> Vec<Value> {
    within(content, project)
        .enumerate()
        .map(|(at, (name, repository))| {
            json!({"id": at + 1, "name": name, "artifact_count": repository.manifests().len(), "pull_count": 0})
        })
        .collect()
}

fn artifacts(
    harbor: &Harbor,
    content: &Content,
    question: &Question,
    project: &str,
    encoded: &str,
) -> Response {
    // The path came decoded once; a slash in the name had to be encoded twice, so as not to end it.
    let name = format!("{project}/{}", encoded.replace("%2F", "/").replace("%2f", "/"));
    let Some(repository) = content.repository(&name) else {
        return v2::error(404, "NOT_FOUND");
    };
    let (_, size) = page_of(question);
    if harbor.slow_above.is_some_and(|bound| size > bound) {
        return text(504, "text/html", "<html><body>504 Gateway Time-out</body></html>");
    }
    paged(question, &rows(content, repository))
}

fn rows(content: &Content, repository: &Repository) -> Vec<Value> {
    let mut tags: BTreeMap<&Digest, Vec<Value>> = BTreeMap::new();
    for (tag, digest) in repository.tags() {
        let pushed = repository.pushed(tag.as_str()).published().to_string();
        let row = json!({"name": tag, "push_time": pushed, "pull_time": "0001-01-01T00:00:00.000Z", "immutable": false});
        tags.entry(digest).or_default().push(row);
    }
    let children: BTreeSet<&Digest> = repository
        .manifests()
        .iter()
        .filter_map(|digest| content.manifests().get(digest))
        .flat_map(|stored| &stored.facts.children)
        .collect();
    let listed = |digest: &&Digest| {
        // What is attached to an image, such as its signature, is shown with the image only, whether or not it has a tag.
        let accessory = tags.get(digest).is_some_and(|tags| tags.iter().any(is_signature))
            || content
                .manifests()
                .get(*digest)
                .is_some_and(|stored| stored.subject.is_some());
        !accessory && (tags.contains_key(digest) || !children.contains(digest))
    };
    let artifact = |digest: &Digest| {
        let stored = content.manifests().get(digest)?;
        let named = tags.get(digest);
        let pushed = named
            .and_then(|tags| tags.first())
            .map(|tag| tag["push_time"].clone());
        Some(json!({
            "digest": digest,
            "size": stored.facts.size(),
            "type": "IMAGE",
            "media_type": stored.artifact_type,
            "manifest_media_type": stored.media_type,
            "push_time": pushed.unwrap_or_else(|| json!("2026-01-02T03:04:05.000Z")),
            "pull_time": "0001-01-01T00:00:00.000Z",
            "tags": named,
            "references": null,
            "labels": null,
        }))
    };
    repository
        .manifests()
        .iter()
        .filter(listed)
        .filter_map(artifact)
        .collect()
}

fn is_signature(tag: &Value) -> bool {
    let name = tag["name"].as_str().unwrap_or_default();
    name.starts_with("sha256-") && name.ends_with(".sig")
}

fn page_of(question: &Question) -> (usize, usize) {
    let page = question.number("page").unwrap_or(1).max(1);
    let size = question.number("page_size").unwrap_or(PAGE.0);
    (page, size.clamp(1, PAGE.1))
}

fn paged(question: &Question, rows: &[Value]) -> Response {
    let (page, size) = page_of(question);
    let start = ((page - 1) * size).min(rows.len());
    let end = (start + size).min(rows.len());
    let mut response = json(200, &json!(rows[start..end]));
    response = with(response, "x-total-count", &rows.len().to_string());
    if end < rows.len() {
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("page", &(page + 1).to_string())
            .append_pair("page_size", &size.to_string())
            .finish();
        let link = format!("<{}?{query}>; rel=\"next\"", question.path);
        response = with(response, "link", &link);
    }
    response
}
