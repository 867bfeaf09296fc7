//! `PATCH /webhooks/{webhook}`

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};

use super::{ChangeWebhook, Webhook};
use crate::app::App;
use crate::web::api::ApiError;
use crate::web::api::authenticated::Authenticated;
use crate::web::api::body::Body;

/// Change a webhook
///
/// Changes the members that are named.
#[utoipa::path(
    patch, path = "/webhooks/{webhook}", operation_id = "change_webhook", tag = "webhooks",
    params(("webhook" = String, Path, description = "Name or id")),
    request_body = ChangeWebhook,
    responses((status = 200, description = "The webhook as it is now", body = Webhook)),
    extensions(("x-required-role" = json!("operator"))),
)]
pub(crate) async fn change(
    Authenticated(caller): Authenticated,
    State(app): State<Arc<App>>,
    Path(webhook): Path<String>,
    Body(body): Body<ChangeWebhook>,
) -> Result<Json<Webhook>, ApiError> {
    let record = app.change_webhook(&caller, &webhook, body.into_input()?).await?;
    Ok(Json(record.into()))
}
