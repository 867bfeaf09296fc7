//! Around every request: its id, its log line, the one form of errors, and headers that every answer has.

use std::sync::Arc;

use axum::Json;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use data_encoding::HEXLOWER;
use tracing::Instrument as _;

use super::api::{ErrorBody, ErrorParts};
use crate::app::App;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Longest request id that is taken over from a caller, in bytes; a longer one is replaced.
const REQUEST_ID_BYTES: usize = 64;

/// Runs a request inside its envelope.
pub(super) async fn wrap(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let id = request
        .headers()
        .get(REQUEST_ID)
        .and_then(|value| value.to_str().ok())
        .filter(|id| is_id(id))
        .map_or_else(|| new_id(&app), str::to_owned);
    let method = request.method().clone();
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map(|path| path.as_str().to_owned());
    // At the highest level, so that no filter takes the request id from the log of an error.
    let span = tracing::error_span!("request", id, %method);
    let started = app.clock.uptime();
    async move {
        let mut response = next.run(request).await;
        let millis = app.clock.uptime().since(started).as_millis();
        let status = response.status();
        tracing::debug!(status = status.as_u16(), route, millis, "answered");
        let is_json = response
            .headers()
            .get(header::CONTENT_TYPE)
            .is_some_and(|value| value == "application/json");
        let parts = response.extensions_mut().remove::<ErrorParts>();
        // Health is for machines that look at the status alone.
        let is_health = route.as_deref().is_some_and(|route| !route.starts_with("/api/"));
        if (status.is_client_error() || status.is_server_error()) && !is_json && !is_health {
            response = render(response, parts, &id);
        }
        finish(&mut response, &method, &id);
        response
    }
    .instrument(span)
    .await
}

fn render(response: Response, parts: Option<ErrorParts>, id: &str) -> Response {
    let (head, _) = response.into_parts();
    let parts = parts.unwrap_or_else(|| ErrorParts::of_status(head.status));
    let body = ErrorBody {
        code: parts.code.to_owned(),
        message: parts.message,
        request_id: id.to_owned(),
        details: parts.details,
    };
    let mut rendered = (head.status, Json(body)).into_response();
    for kept in [header::WWW_AUTHENTICATE, header::ALLOW, header::RETRY_AFTER] {
        if let Some(value) = head.headers.get(&kept) {
            rendered.headers_mut().insert(kept, value.clone());
        }
    }
    rendered
}

fn finish(response: &mut Response, method: &Method, id: &str) {
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    // Answers are one tenant's: no shared cache may keep them, and what was made once (a token) no cache at all.
    let caching = if method == Method::GET {
        "private, no-cache"
    } else {
        "no-store"
    };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
}

fn is_id(text: &str) -> bool {
    (1..=REQUEST_ID_BYTES).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

fn new_id(app: &App) -> String {
    let mut bytes = [0; 12];
    app.rng.fill(&mut bytes);
    HEXLOWER.encode(&bytes)
}
