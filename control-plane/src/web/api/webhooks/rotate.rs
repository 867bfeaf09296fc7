//! `POST /webhooks/{webhook}/rotate`

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};

use super::WebhookKeys;
use crate::app::App;
use crate::web::api::ApiError;
use crate::web::api::authenticated::Authenticated;

/// Replace what messages to a webhook are signed with
///
/// For a day, messages carry a signature by the new key and one by the key before it. A further rotation within the day ends the first key at once.
#[utoipa::path(
    post, path = "/webhooks/{webhook}/rotate", operation_id = "rotate_webhook", tag = "webhooks",
    params(("webhook" = String, Path, description = "Name or id")),
    responses((status = 200, description = "The webhook with its secrets", body = WebhookKeys)),
    extensions(("x-required-role" = json!("operator"))),
)]
pub(crate) async fn rotate(
    Authenticated(caller): Authenticated,
    State(app): State<Arc<App>>,
    Path(webhook): Path<String>,
) -> Result<Json<WebhookKeys>, ApiError> {
    Ok(Json(WebhookKeys::of(
        app.rotate_webhook(&caller, &webhook).await?,
    )))
}
