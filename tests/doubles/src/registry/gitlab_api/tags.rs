//! The tags of a repository, in pages.

use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderValue, header};
use portolan_shared::model::TagName;
use serde_json::Value;

use super::query::{Place, TagsQuery};
use super::route::query_of;
use super::tag_item;
use super::window::Window;
use crate::content::{Content, Repository};
use crate::registry::behaviour::{Behaviour, Paging};
use crate::registry::double::State;
use crate::registry::{errors, links};

pub(super) fn list(
    state: &State,
    behaviour: &Behaviour,
    request: &Request,
    name: &str,
    query: &str,
) -> Response {
    let content = state.content();
    let Some(repository) = content.repository(name) else {
        return errors::name_unknown(name);
    };
    let ask = match TagsQuery::of(query) {
        Ok(ask) => ask,
        Err(refused) => return refused.response(),
    };
    if behaviour.paging == Paging::Endless {
        return endless(&content, repository, name, &ask, request);
    }
    if let Some(exact) = &ask.exact {
        let found = repository.tags().get_key_value(exact.as_str());
        let items = found.and_then(|(tag, digest)| tag_item::item(&content, name, tag, digest, &ask));
        return page(&items.into_iter().collect::<Vec<_>>(), None);
    }
    let shown = Window::of(repository, &ask);
    let items: Vec<Value> = shown
        .rows
        .iter()
        .filter_map(|(_, tag, digest)| tag_item::item(&content, name, tag, digest, &ask))
        .collect();
    let more = shown.more || (behaviour.paging == Paging::EmptyLastPage && !shown.rows.is_empty());
    let path = request.uri().path();
    let mut found = Vec::new();
    if let Some((first, _, _)) = shown.rows.first().filter(|_| shown.previous) {
        let previous = follow(&ask, "before", first);
        found.push(format!("<{path}?{previous}>; rel=\"previous\""));
    }
    if let Some((last, _, _)) = shown.rows.last().filter(|_| more) {
        let next = follow(&ask, "last", last);
        match behaviour.paging {
            Paging::NoLink => {}
            // The link to the page before is there already.
            Paging::PreviousAndNext => found.push(links::next(Paging::Relative, request, &next)),
            paging => found.push(links::next(paging, request, &next)),
        }
    }
    page(&items, Some(found.join(", ")).filter(|link| !link.is_empty()))
}

/// The query of a neighbouring page. What is asked of referrers is not in it.
fn follow(ask: &TagsQuery, marker: &'static str, place: &Place) -> String {
    let mut pairs = vec![(marker, ask.sort.marker(place)), ("n", ask.number.to_string())];
    pairs.extend(ask.name.clone().map(|name| ("name", name)));
    pairs.extend(ask.sort_text.clone().map(|sort| ("sort", sort)));
    query_of(pairs)
}

/// A page of names made up, all of one manifest, and a link to the next.
fn endless(
    content: &Content,
    repository: &Repository,
    name: &str,
    ask: &TagsQuery,
    request: &Request,
) -> Response {
    let after = ask
        .last
        .as_ref()
        .and_then(|(_, last)| last.strip_prefix("made-up-"));
    let from: usize = after.and_then(|number| number.parse().ok()).unwrap_or(0);
    let mut items = Vec::new();
    let mut last = String::new();
    for number in from + 1..=from + ask.number {
        last = format!("made-up-{number:012}");
        let tag = last
            .parse::<TagName>()
            .ok()
            .zip(repository.tags().values().next());
        items.extend(tag.and_then(|(tag, digest)| tag_item::item(content, name, &tag, digest, ask)));
    }
    let next = query_of(vec![("last", last), ("n", ask.number.to_string())]);
    page(&items, Some(links::next(Paging::Relative, request, &next)))
}

pub(super) fn page(items: &[Value], link: Option<String>) -> Response {
    let body = Value::from(items);
    let mut response = ([(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response();
    if let Some(value) = link.and_then(|link| HeaderValue::from_str(&link).ok()) {
        response.headers_mut().insert(header::LINK, value);
    }
    response
}
