//! Error answers, as GitLab words them.

use axum::response::{IntoResponse as _, Response};
use http::{StatusCode, header};
use serde_json::{Value, json};

/// An error body with one entry.
pub(super) fn error(status: StatusCode, code: &str, message: &str, detail: &Value) -> Response {
    let body = json!({"errors": [{"code": code, "message": message, "detail": detail}]});
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
