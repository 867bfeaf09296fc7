//! Whether the process lives, and whether it is ready: for whoever restarts it, and for whoever sends it traffic.

use std::sync::Arc;

use axum::http::StatusCode;

use crate::app::App;

/// `GET /livez`: the process can answer. Says nothing of the database, which a restart would not mend.
pub(super) async fn live() -> &'static str {
    "live\n"
}

/// `GET /readyz`: the process takes work and its database answers.
pub(super) async fn ready(app: Arc<App>, takes_work: Result<(), &'static str>) -> (StatusCode, String) {
    let not_ready = |why: &str| (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n"));
    if let Err(why) = takes_work {
        return not_ready(why);
    }
    match app.store.ping().await {
        Ok(()) => (StatusCode::OK, "ready\n".to_owned()),
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "not ready");
            not_ready("the database does not answer")
        }
    }
}
