//! The metrics listener.

use std::sync::Arc;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;

use crate::app::{App, Meters};

/// Prometheus's text format.
const FORMAT: &str = "text/plain; version=0.0.4";

/// `GET /metrics`, and nothing else: what this process has counted, and how fresh the registries of all tenants are.
pub fn router(meters: Arc<Meters>, app: Arc<App>) -> Router {
    Router::new().route(
        "/metrics",
        get(move || {
            let (meters, app) = (Arc::clone(&meters), Arc::clone(&app));
            async move {
                let mut text = meters.render();
                text.push_str(&app.event_tally.render());
                text.push_str(&app.registry_figures().await);
                text.push_str(&app.webhook_figures().await);
                ([(CONTENT_TYPE, FORMAT)], text)
            }
        }),
    )
}
