//! `/api/v1`.

use axum::response::Response;
use http::header;
use portolan_shared::model::{Digest, MediaType, RepositoryName, TagName};
use serde_json::{Value, json};

use super::product::{Account, OAUTH, Quay};
use crate::content::{Content, Repository};
use crate::products::stage::{Question, json};

/// Most rows on a page.
const PAGE: usize = 100;
/// Tags on a page unless asked otherwise.
const TAGS: usize = 50;

pub(super) fn answer(quay: &Quay, content: &Content, question: &Question) -> Response {
    let path = question.path.trim_start_matches("/api/v1/");
    if path == "discovery" {
        let title = json!({"title": "Quay Frontend", "version": "v1"});
        return json(
            200,
            &json!({"swagger": "2.0", "info": title, "host": "quay.internal.example"}),
        );
    }
    let account = match caller(quay, question) {
        Ok(account) => account,
        Err(refusal) => return *refusal,
    };
    if path == "repository" {
        return repositories(quay, content, question, account);
    }
    let name = path
        .strip_prefix("repository/")
        .and_then(|rest| rest.strip_suffix("/tag/"));
    let Some(name) = name else {
        return error(404, "not_found");
    };
    match content.repository(name) {
        Some(_) if !quay.shows(account, name) => match account {
            None => error(401, "invalid_token"),
            Some(_) => error(403, "insufficient_scope"),
        },
        None => error(404, "not_found"),
        Some(_) if quay.applications.contains(name) => error(400, "invalid_request"),
        Some(repository) => tags(content, question, repository),
    }
}

/// Strangers, and OAuth tokens: nobody else is let in.
fn caller<'q>(quay: &'q Quay, question: &Question) -> Result<Option<&'q Account>, Box<Response>> {
    if question.header(header::AUTHORIZATION).is_empty() {
        return Ok(None);
    }
    let token = question.bearer();
    let mut accounts = quay.accounts.iter();
    let found = accounts.find(|account| account.name == OAUTH && Some(account.secret.as_str()) == token);
    found
        .map(Some)
        .ok_or_else(|| Box::new(error(401, "invalid_token")))
}

fn error(status: u16, kind: &str) -> Response {
    json(
        status,
        &json!({"status": status, "error_type": kind, "detail": "refused", "title": kind}),
    )
}

fn repositories(quay: &Quay, content: &Content, question: &Question, account: Option<&Account>) -> Response {
    let Some(namespace) = question.parameter("namespace") else {
        return error(400, "invalid_request");
    };
    let wanted = |name: &&str| {
        name.split_once('/').is_some_and(|(owner, _)| owner == namespace) && quay.shows(account, name)
    };
    let names = content.repositories().keys().map(RepositoryName::as_str);
    let names: Vec<&str> = names.filter(wanted).collect();
    let start = question
        .parameter("next_page")
        .and_then(|cursor| cursor.strip_prefix("gAAAA")?.parse().ok())
        .unwrap_or(0)
        .min(names.len());
    let end = (start + PAGE).min(names.len());
    let row = |name: &&str| {
        let kind = if quay.applications.contains(*name) {
            "application"
        } else {
            "image"
        };
        json!({
            "namespace": namespace,
            "name": name.split_once('/').map_or(*name, |(_, name)| name),
            "description": null,
            "is_public": quay.public.contains(*name),
            "kind": kind,
            "state": "NORMAL",
            "last_modified": 1_767_323_045,
        })
    };
    let mut body = json!({"repositories": names[start..end].iter().map(row).collect::<Vec<_>>()});
    if end < names.len() {
        body["next_page"] = json!(format!("gAAAA{end}"));
    }
    json(200, &body)
}

/// Newest first.
fn tags(content: &Content, question: &Question, repository: &Repository) -> Response {
    let mut rows: Vec<(&TagName, &Digest)> = repository.tags().iter().collect();
    rows.sort_by_key(|(tag, _)| std::cmp::Reverse(repository.pushed(tag.as_str()).published()));
    let size = question.number("limit").unwrap_or(TAGS).clamp(1, PAGE);
    let page = question.number("page").unwrap_or(1).max(1);
    let start = ((page - 1) * size).min(rows.len());
    let end = (start + size).min(rows.len());
    let row = |(tag, digest): &(&TagName, &Digest)| -> Value {
        let pushed = repository.pushed(tag.as_str()).published();
        let stored = content.manifests().get(*digest);
        let is_list = stored.is_some_and(|stored| {
            [MediaType::OCI_INDEX, MediaType::DOCKER_LIST].contains(&stored.media_type)
        });
        json!({
            "name": tag,
            "reversion": false,
            "start_ts": pushed.as_second(),
            "manifest_digest": digest,
            "is_manifest_list": is_list,
            "size": stored.map(|stored| stored.facts.size()),
            "last_modified": "Fri, 02 Jan 2026 03:04:05 -0000",
        })
    };
    let tags: Vec<Value> = rows[start..end].iter().map(row).collect();
    json(
        200,
        &json!({"tags": tags, "page": page, "has_additional": end < rows.len()}),
    )
}
