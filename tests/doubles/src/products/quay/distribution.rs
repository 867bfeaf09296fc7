//! `/v2/` and the token service.

use axum::response::Response;
use portolan_shared::model::TagName;
use serde_json::json;

use super::product::{Account, Quay};
use crate::content::Content;
use crate::products::stage::{Question, json, with};
use crate::products::unconditional::unconditional;
use crate::products::v2::{self, Asked, Linked, Lists, View};

/// Rows on a page unless asked otherwise, and the most.
const PAGE: usize = 100;
/// The name that it is configured with, which is not the one that it is reached by.
const CONFIGURED: &str = "https://quay.internal.example";

pub(super) fn token(quay: &mut Quay, question: &Question) -> Response {
    let account = match question.basic() {
        None => None,
        Some((name, secret)) => {
            let found = quay
                .accounts
                .iter()
                .find(|account| account.name == name && account.secret == secret);
            match found {
                Some(account) => Some(account.clone()),
                None => return json(401, &json!({"error": "Could not find robot or token"})),
            }
        }
    };
    let granted = |scope: &String| {
        let name = scope.strip_prefix("repository:")?.rsplit_once(':')?.0;
        quay.shows(account.as_ref(), name)
            .then(|| format!("repository:{name}:pull"))
    };
    let asked = question.parameters("scope");
    let mut scopes: Vec<String> = asked.iter().filter_map(granted).collect();
    scopes.extend(asked.into_iter().filter(|scope| scope == "registry:catalog:*"));
    let token = quay.tokens.issue(account.as_ref().map(key), scopes);
    json(200, &json!({"token": token}))
}

/// What an account is found by again: OAuth tokens share their user name.
fn key(account: &Account) -> String {
    format!("{} {}", account.name, account.secret)
}

pub(super) fn answer(quay: &Quay, content: &Content, question: &Question) -> Response {
    let Some(asked) = Asked::of(question.path.trim_start_matches("/v2/")) else {
        return v2::error(404, "NOT_FOUND");
    };
    let Some(issued) = question.bearer().and_then(|token| quay.tokens.find(token)) else {
        return challenged(question, &asked);
    };
    let account = issued.login.as_ref().and_then(|login| {
        let mut accounts = quay.accounts.iter();
        accounts.find(|account| key(account) == *login)
    });
    if let Some(name) = asked.repository()
        && !issued.pulls(name)
    {
        return challenged(question, &asked);
    }
    match asked {
        Asked::Catalog => catalog(quay, content, question, account),
        Asked::Tags(name) => tags(quay, content, question, name),
        Asked::Root | Asked::Manifest(..) | Asked::Blob(..) => {
            let lists = Lists {
                linked: Linked::Path,
                usual: Some(PAGE),
                most: PAGE,
                holes: false,
            };
            v2::answer(View::all(content), &asked, &unconditional(question), lists)
        }
    }
}

fn challenged(question: &Question, asked: &Asked<'_>) -> Response {
    let host = question.here.split_once("://").map_or("", |(_, host)| host);
    let mut challenge = format!("Bearer realm=\"{}/v2/auth\",service=\"{host}\"", question.here);
    if let Some(name) = asked.repository() {
        challenge.push_str(&format!(",scope=\"repository:{name}:pull\""));
    }
    v2::challenged(&[challenge])
}

/// One's own repositories, and the public ones where that is switched on; behind a cursor.
fn catalog(quay: &Quay, content: &Content, question: &Question, account: Option<&Account>) -> Response {
    let visible = |name: &str| {
        let is_public = quay.public.contains(name);
        let namespace = name.split('/').next().unwrap_or_default();
        let own = account.is_some_and(|account| account.namespaces.contains(namespace));
        own || (is_public && quay.public_catalog)
    };
    let names = content.repositories().keys().map(ToString::to_string);
    let names: Vec<String> = names
        .filter(|name| visible(name) && !quay.applications.contains(name))
        .collect();
    let start = question
        .parameter("next_page")
        .and_then(|cursor| cursor.strip_prefix("gAAAA")?.parse().ok())
        .unwrap_or(0)
        .min(names.len());
    let number = question.number("n").unwrap_or(PAGE).min(PAGE);
    let end = (start + number).min(names.len());
    let response = json(200, &json!({"repositories": names[start..end]}));
    if end == names.len() {
        return response;
    }
    let link = format!("<{CONFIGURED}/v2/_catalog?n={number}&next_page=gAAAA{end}>; rel=\"next\"");
    with(response, "link", &link)
}

/// Oldest first.
fn tags(quay: &Quay, content: &Content, question: &Question, name: &str) -> Response {
    let repository = content
        .repository(name)
        .filter(|_| !quay.applications.contains(name));
    let Some(repository) = repository else {
        return v2::error(404, "NAME_UNKNOWN");
    };
    let asked = question.number("n").unwrap_or(PAGE);
    if asked > PAGE && quay.refuses_large_pages {
        return v2::error(413, "TOO_MANY_TAGS_REQUESTED");
    }
    let mut tags: Vec<&TagName> = repository.tags().keys().collect();
    tags.sort_by_key(|tag| repository.pushed(tag.as_str()).published());
    let last = question.parameter("last");
    let start = last
        .and_then(|last| tags.iter().position(|tag| tag.as_str() == last))
        .map_or(0, |at| at + 1);
    let number = asked.min(PAGE);
    let end = (start + number).min(tags.len());
    let response = json(200, &json!({"name": name, "tags": tags[start..end]}));
    if end == tags.len() {
        return response;
    }
    let link = format!(
        "<{CONFIGURED}/v2/{name}/tags/list?n={number}&last={}>; rel=\"next\"",
        tags[end - 1]
    );
    with(response, "link", &link)
}
