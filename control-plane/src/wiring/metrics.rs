//! The metrics listener.

use std::sync::Arc;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;

use crate::app::Meters;

/// Prometheus's text format.
const FORMAT: &str = "text/plain; version=0.0.4";

/// `GET /metrics`, and nothing else.
pub(super) fn router(meters: Arc<Meters>) -> Router {
    Router::new().route(
        "/metrics",
        get(move || {
            let text = meters.render();
            async move { ([(CONTENT_TYPE, FORMAT)], text) }
        }),
    )
}
