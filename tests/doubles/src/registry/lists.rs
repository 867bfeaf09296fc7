//! The catalog and the tag lists, in pages.

use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderValue, StatusCode, header};
use portolan_shared::model::{RepositoryName, TagName};
use serde_json::{Value, json};
use url::form_urlencoded;

use super::behaviour::{Behaviour, Flavour, Paging};
use super::double::State;
use super::{errors, links};

/// Largest page of the catalog (GitLab, CNCF Distribution): 400 above.
const CATALOG_PAGE: usize = 1_000;

/// The query of a list.
struct Ask {
    number: Option<usize>,
    last: Option<String>,
    /// The page number in an opaque cursor, and how far an endless list has come.
    cursor: Option<usize>,
}

impl Ask {
    fn of(query: &str) -> Self {
        let mut ask = Self {
            number: None,
            last: None,
            cursor: None,
        };
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "n" => ask.number = value.parse().ok(),
                "last" => ask.last = Some(value.into_owned()),
                "next_page" => ask.cursor = value.strip_prefix("c-").and_then(|cursor| cursor.parse().ok()),
                _ => {}
            }
        }
        ask
    }
}

pub(super) fn catalog(state: &State, behaviour: &Behaviour, request: &Request, query: &str) -> Response {
    if !behaviour.catalog {
        return errors::page_not_found();
    }
    let ask = Ask::of(query);
    if ask.number.is_some_and(|number| number > CATALOG_PAGE) {
        let detail = json!(format!("n must be no larger than {CATALOG_PAGE}"));
        let message = "invalid number of results requested";
        return errors::error(
            StatusCode::BAD_REQUEST,
            "PAGINATION_NUMBER_INVALID",
            message,
            &detail,
        );
    }
    let content = state.content();
    let names: Vec<_> = content
        .repositories()
        .keys()
        .map(RepositoryName::as_str)
        .collect();
    let page = Page::cut(&names, &ask, behaviour);
    page.respond(&json!({"repositories": page.entries}), behaviour, request)
}

pub(super) fn tags(
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
    let mut ask = Ask::of(query);
    let mut behaviour = behaviour.clone();
    if behaviour.flavour == Flavour::GitLabFilesystem {
        ask = Ask::of("");
        behaviour.page = usize::MAX;
    }
    let tags: Vec<_> = repository.tags().keys().map(TagName::as_str).collect();
    let page = Page::cut(&tags, &ask, &behaviour);
    // No tags at all is null, not an empty list.
    let list = if repository.tags().is_empty() {
        Value::Null
    } else {
        json!(page.entries)
    };
    page.respond(&json!({"name": name, "tags": list}), &behaviour, request)
}

/// One page, and the query of the next one if there is to be a link.
struct Page {
    entries: Vec<String>,
    next: Option<String>,
}

impl Page {
    fn cut(all: &[&str], ask: &Ask, behaviour: &Behaviour) -> Self {
        let number = ask.number.filter(|number| *number > 0).unwrap_or(behaviour.page);
        let from = ask.cursor.unwrap_or(0);
        if behaviour.paging == Paging::Endless {
            let entries = (0..number.min(CATALOG_PAGE))
                .map(|at| format!("made-up-{from}-{at}"))
                .collect();
            return Self {
                entries,
                next: Some(format!("n={number}&next_page=c-{}", from + 1)),
            };
        }
        let cursor = behaviour.paging == Paging::OpaqueCursor;
        let start = match &ask.last {
            _ if cursor => from.min(all.len()),
            // Exclusive, whether or not the name exists.
            Some(last) => all.partition_point(|entry| *entry <= last.as_str()),
            None => 0,
        };
        let end = start.saturating_add(number).min(all.len());
        let more = end < all.len() || (behaviour.paging == Paging::EmptyLastPage && start < end);
        let entries: Vec<String> = all[start..end].iter().map(|&entry| entry.to_owned()).collect();
        let next = entries
            .last()
            .filter(|_| more && behaviour.paging != Paging::NoLink)
            .map(|last| {
                let mut query = form_urlencoded::Serializer::new(String::new());
                match behaviour.paging {
                    Paging::OpaqueCursor => query
                        .append_pair("n", &number.to_string())
                        .append_pair("next_page", &format!("c-{end}")),
                    _ => query
                        .append_pair("last", last)
                        .append_pair("n", &number.to_string()),
                };
                query.finish()
            });
        Self { entries, next }
    }

    fn respond(&self, body: &Value, behaviour: &Behaviour, request: &Request) -> Response {
        let headers = [(header::CONTENT_TYPE, "application/json")];
        let mut response = (headers, format!("{body}\n")).into_response();
        let Some(next) = &self.next else {
            return response;
        };
        if let Ok(value) = HeaderValue::from_str(&links::next(behaviour.paging, request, next)) {
            response.headers_mut().insert(header::LINK, value);
        }
        response
    }
}
