//! `GET /webhooks/{webhook}`

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};

use super::Webhook;
use crate::app::App;
use crate::web::api::ApiError;
use crate::web::api::authenticated::Authenticated;

/// Show a webhook
///
/// Without its secrets.
#[utoipa::path(
    get, path = "/webhooks/{webhook}", operation_id = "show_webhook", tag = "webhooks",
    params(("webhook" = String, Path, description = "Name or id")),
    responses((status = 200, description = "The webhook", body = Webhook)),
    extensions(("x-required-role" = json!("viewer"))),
)]
pub(crate) async fn show(
    Authenticated(caller): Authenticated,
    State(app): State<Arc<App>>,
    Path(webhook): Path<String>,
) -> Result<Json<Webhook>, ApiError> {
    Ok(Json(app.webhook(&caller, &webhook).await?.into()))
}
