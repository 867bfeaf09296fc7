//! `POST /webhooks/{webhook}/pause`

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};

use super::Webhook;
use crate::app::App;
use crate::web::api::ApiError;
use crate::web::api::authenticated::Authenticated;

/// Pause a webhook
///
/// Nothing is delivered to it until it is resumed. A message that is on its way goes on.
#[utoipa::path(
    post, path = "/webhooks/{webhook}/pause", operation_id = "pause_webhook", tag = "webhooks",
    params(("webhook" = String, Path, description = "Name or id")),
    responses((status = 200, description = "The webhook as it is now", body = Webhook)),
    extensions(("x-required-role" = json!("operator"))),
)]
pub(crate) async fn pause(
    Authenticated(caller): Authenticated,
    State(app): State<Arc<App>>,
    Path(webhook): Path<String>,
) -> Result<Json<Webhook>, ApiError> {
    Ok(Json(app.pause_webhook(&caller, &webhook).await?.into()))
}
