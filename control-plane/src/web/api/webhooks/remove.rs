//! `DELETE /webhooks/{webhook}`

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;

use crate::app::App;
use crate::web::api::ApiError;
use crate::web::api::authenticated::Authenticated;

/// Remove a webhook
///
/// With the log of its deliveries.
#[utoipa::path(
    delete, path = "/webhooks/{webhook}", operation_id = "remove_webhook", tag = "webhooks",
    params(("webhook" = String, Path, description = "Name or id")),
    responses((status = 204, description = "Removed")),
    extensions(("x-required-role" = json!("operator"))),
)]
pub(crate) async fn remove(
    Authenticated(caller): Authenticated,
    State(app): State<Arc<App>>,
    Path(webhook): Path<String>,
) -> Result<StatusCode, ApiError> {
    app.remove_webhook(&caller, &webhook).await?;
    Ok(StatusCode::NO_CONTENT)
}
