//! Error answers, as GitLab words them.

use axum::response::{IntoResponse as _, Response};
use http::{StatusCode, header};
use serde::Serialize;
use serde_json::{Value, json};

/// An entry of an error body, in the order in which GitLab writes its members.
#[derive(Serialize)]
struct Entry<'a> {
    code: &'a str,
    message: &'a str,
    detail: &'a Value,
}

#[derive(Serialize)]
struct Errors<'a> {
    errors: [Entry<'a>; 1],
}

/// An error body with one entry, and the line's end that Go's encoder leaves.
pub(super) fn error(status: StatusCode, code: &str, message: &str, detail: &Value) -> Response {
    let entry = Entry {
        code,
        message,
        detail,
    };
    // Texts and values only: nothing in it can fail to be written.
    let body = serde_json::to_string(&Errors { errors: [entry] }).unwrap_or_default();
    (
        status,
        [(header::CONTENT_TYPE, "application/json")],
        format!("{body}\n"),
    )
        .into_response()
}

pub(super) fn name_unknown(repository: &str) -> Response {
    let detail = json!({"name": repository});
    error(
        StatusCode::NOT_FOUND,
        "NAME_UNKNOWN",
        "repository name not known to registry",
        &detail,
    )
}

pub(super) fn manifest_unknown(message: &str) -> Response {
    error(StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN", message, &Value::Null)
}

pub(super) fn digest_invalid() -> Response {
    let message = "provided digest did not match uploaded content";
    error(StatusCode::BAD_REQUEST, "DIGEST_INVALID", message, &Value::Null)
}

/// What Go's router says to a path that it does not know.
pub(super) fn page_not_found() -> Response {
    let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
    (StatusCode::NOT_FOUND, headers, "404 page not found\n").into_response()
}
