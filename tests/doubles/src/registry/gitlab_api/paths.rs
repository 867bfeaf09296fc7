//! The repositories at and below a path. No user can obtain the access that it needs; a double without tokens serves it.

use axum::extract::Request;
use axum::response::Response;
use serde_json::{Value, json};

use super::query::{number, value};
use super::route::query_of;
use super::tag_item::time;
use super::tags::page;
use crate::registry::behaviour::{Behaviour, Paging};
use crate::registry::double::State;
use crate::registry::links;

pub(super) fn list(
    state: &State,
    behaviour: &Behaviour,
    request: &Request,
    path: &str,
    query: &str,
) -> Response {
    let number = match number(query) {
        Ok(number) => number,
        Err(refused) => return refused.response(),
    };
    let last = value(query, "last").unwrap_or_default();
    let below = |name: &str| {
        let rest = name.strip_prefix(path);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let content = state.content();
    let items: Vec<Value> = content
        .repositories()
        .iter()
        .filter(|(name, repository)| {
            below(name.as_str()) && name.as_str() > last.as_str() && !repository.tags().is_empty()
        })
        .take(number)
        .map(|(name, repository)| {
            let pushed = repository
                .tags()
                .keys()
                .map(|tag| repository.pushed(tag.as_str()));
            let created = pushed.map(|pushed| pushed.created).min().unwrap_or_default();
            json!({"name": name.as_str().rsplit('/').next(), "path": name, "created_at": time(created)})
        })
        .collect();
    // Whenever the page is full, so that the last one may be empty.
    let full = items.len() == number && behaviour.paging != Paging::NoLink;
    let link = items.last().filter(|_| full).map(|last| {
        let last = last["path"].as_str().unwrap_or_default().to_owned();
        let next = query_of(vec![("last", last), ("n", number.to_string())]);
        links::next(behaviour.paging, request, &next)
    });
    page(&items, link)
}
