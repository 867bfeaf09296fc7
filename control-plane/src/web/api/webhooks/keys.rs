//! `GET /webhooks/{webhook}/signing-keys`

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};

use super::WebhookKeys;
use crate::app::App;
use crate::web::api::ApiError;
use crate::web::api::authenticated::Authenticated;

/// Show what messages to a webhook are signed with
///
/// And its whole URL. That somebody has seen them stands in the audit log.
#[utoipa::path(
    get, path = "/webhooks/{webhook}/signing-keys", operation_id = "show_webhook_keys", tag = "webhooks",
    params(("webhook" = String, Path, description = "Name or id")),
    responses((status = 200, description = "The webhook with its secrets", body = WebhookKeys)),
    extensions(("x-required-role" = json!("operator"))),
)]
pub(crate) async fn show(
    Authenticated(caller): Authenticated,
    State(app): State<Arc<App>>,
    Path(webhook): Path<String>,
) -> Result<Json<WebhookKeys>, ApiError> {
    Ok(Json(WebhookKeys::of(app.webhook_keys(&caller, &webhook).await?)))
}
