//! The REST API's answers, as GitLab words them.

use axum::response::{IntoResponse as _, Response};
use http::{StatusCode, header};
use serde_json::{Value, json};

/// A refusal. Boxed, because a response is large.
pub(super) type Refused = Box<Response>;

pub(super) fn ok(body: &Value) -> Response {
    with_status(StatusCode::OK, body)
}

fn with_status(status: StatusCode, body: &Value) -> Response {
    (
        status,
        [(header::CONTENT_TYPE, "application/json")],
        body.to_string(),
    )
        .into_response()
}

fn message(status: StatusCode, text: &str) -> Refused {
    Box::new(with_status(status, &json!({"message": text})))
}

fn oauth(status: StatusCode, error: &str, description: &str) -> Refused {
    let body = json!({"error": error, "error_description": description});
    Box::new(with_status(status, &body))
}

/// Asked for under a path that it had before.
pub(super) fn moved(location: &str) -> Response {
    let body = json!({"message": "This resource has been moved permanently"});
    let mut response = with_status(StatusCode::MOVED_PERMANENTLY, &body);
    if let Ok(location) = location.parse() {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

/// No credential, or none that is known here.
pub(super) fn unauthorized() -> Refused {
    message(StatusCode::UNAUTHORIZED, "401 Unauthorized")
}

pub(super) fn expired() -> Refused {
    let text = "Token is expired. You can either do re-authorization or token refresh.";
    oauth(StatusCode::UNAUTHORIZED, "invalid_token", text)
}

pub(super) fn revoked() -> Refused {
    let text = "Token was revoked. You have to re-authorize from the user.";
    oauth(StatusCode::UNAUTHORIZED, "invalid_token", text)
}

/// A token without any of the scopes that would do.
pub(super) fn insufficient_scope(scopes: &[&str]) -> Refused {
    let text = "The request requires higher privileges than provided by the access token.";
    let body = json!({"error": "insufficient_scope", "error_description": text, "scope": scopes.join(" ")});
    Box::new(with_status(StatusCode::FORBIDDEN, &body))
}

/// A member whose role is too low.
pub(super) fn forbidden() -> Refused {
    message(StatusCode::FORBIDDEN, "403 Forbidden")
}

/// No such thing, or none that the caller may know of.
pub(super) fn not_found(what: &str) -> Refused {
    message(StatusCode::NOT_FOUND, &format!("404 {what} Not Found"))
}

/// No such path.
pub(super) fn no_route() -> Refused {
    Box::new(with_status(
        StatusCode::NOT_FOUND,
        &json!({"error": "404 Not Found"}),
    ))
}

pub(super) fn bad_request(text: &str) -> Refused {
    message(StatusCode::BAD_REQUEST, &format!("400 Bad request - {text}"))
}

/// A way of paging that is not to be had.
pub(super) fn paging_refused(text: &str) -> Refused {
    Box::new(with_status(
        StatusCode::METHOD_NOT_ALLOWED,
        &json!({"error": text}),
    ))
}
