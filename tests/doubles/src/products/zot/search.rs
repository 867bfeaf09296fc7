//! The search extension.

use axum::response::Response;
use portolan_shared::model::RepositoryPatterns;
use serde_json::{Map, Value as Json, json};

use super::graphql::{self, Field, Value};
use super::product::Zot;
use crate::content::{Content, Repository};
use crate::products::stage::json;

/// What it tells of an image.
const IMAGE: [&str; 6] = ["RepoName", "Tag", "Digest", "MediaType", "Size", "LastUpdated"];

pub(super) fn answer(zot: &Zot, content: &Content, reads: &RepositoryPatterns, query: &str) -> Response {
    let field = match graphql::read(query) {
        Ok(field) => field,
        Err(problem) => return refused(problem, "GRAPHQL_PARSE_FAILED"),
    };
    let known = |row: &Field| {
        let name = row.name.as_str();
        match field.name.as_str() {
            "ImageList" => IMAGE.contains(&name) || (name == "PushTimestamp" && zot.has_push_times()),
            _ => ["Name", "LastUpdated"].contains(&name),
        }
    };
    let rows = field.selected.iter().find(|selected| selected.name == "Results");
    let wanted = rows.map(|rows| rows.selected.as_slice()).unwrap_or_default();
    if let Some(unknown) = wanted.iter().find(|row| !known(row)) {
        let problem = format!("Cannot query field \"{}\".", unknown.name);
        return refused(&problem, "GRAPHQL_VALIDATION_FAILED");
    }
    let all = match field.name.as_str() {
        "ImageList" => images(content, reads, &field),
        "RepoListWithNewestImage" => repositories(content, reads),
        _ => {
            return refused(
                "Cannot query field on type \"Query\".",
                "GRAPHQL_VALIDATION_FAILED",
            );
        }
    };
    let (start, end) = page(&field, all.len());
    let selected: Vec<Json> = all[start..end].iter().map(|row| only(row, wanted)).collect();
    let info = json!({"TotalCount": all.len(), "ItemCount": selected.len()});
    json(
        200,
        &json!({"data": {&field.name: {"Page": info, "Results": selected}}}),
    )
}

fn refused(problem: &str, code: &str) -> Response {
    let error = json!({"message": problem, "extensions": {"code": code}});
    json(422, &json!({"errors": [error], "data": null}))
}

fn only(row: &Json, wanted: &[Field]) -> Json {
    let members = wanted
        .iter()
        .map(|field| (field.name.clone(), row[&field.name].clone()));
    Json::Object(members.collect::<Map<_, _>>())
}

fn page(field: &Field, rows: usize) -> (usize, usize) {
    let Some(Value::Object(page)) = field.arguments.get("requestedPage") else {
        return (0, rows);
    };
    let number = |name: &str| match page.get(name) {
        Some(Value::Number(number)) => usize::try_from(*number).ok(),
        _ => None,
    };
    let start = number("offset").unwrap_or(0).min(rows);
    let end = match number("limit") {
        None | Some(0) => rows,
        Some(limit) => start.saturating_add(limit).min(rows),
    };
    (start, end)
}

fn images(content: &Content, reads: &RepositoryPatterns, field: &Field) -> Vec<Json> {
    let wanted = match field.arguments.get("repo") {
        Some(Value::Text(name)) => name.as_str(),
        _ => "",
    };
    content
        .repositories()
        .iter()
        .filter(|(name, _)| reads.matches(name) && (wanted.is_empty() || name.as_str() == wanted))
        .flat_map(|(name, repository)| of_repository(content, name.as_str(), repository))
        .collect()
}

/// Signatures are kept with what they sign and are no images of their own.
fn of_repository(content: &Content, name: &str, repository: &Repository) -> Vec<Json> {
    let tags = repository.tags().iter();
    tags.filter(|(tag, _)| !(tag.as_str().starts_with("sha256-") && tag.as_str().ends_with(".sig")))
        .filter_map(|(tag, digest)| {
            let stored = content.manifests().get(digest)?;
            Some(json!({
                "RepoName": name,
                "Tag": tag,
                "Digest": digest,
                "MediaType": stored.media_type,
                "Size": stored.facts.size().to_string(),
                "LastUpdated": "2026-01-02T03:04:05Z",
                "PushTimestamp": repository.pushed(tag.as_str()).published().to_string(),
            }))
        })
        .collect()
}

fn repositories(content: &Content, reads: &RepositoryPatterns) -> Vec<Json> {
    let full = content
        .repositories()
        .iter()
        .filter(|(name, repository)| reads.matches(name) && !repository.tags().is_empty());
    full.map(|(name, _)| json!({"Name": name, "LastUpdated": "2026-01-02T03:04:05Z"}))
        .collect()
}
