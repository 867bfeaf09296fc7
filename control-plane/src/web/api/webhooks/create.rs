//! `POST /webhooks`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::{CreateWebhook, WebhookKeys};
use crate::app::App;
use crate::web::api::ApiError;
use crate::web::api::authenticated::Authenticated;
use crate::web::api::body::Body;

/// Add a webhook
///
/// It is told of what changes from now on: batches of CloudEvents as `application/cloudevents-batch+json`, signed by the rules of Standard Webhooks.
#[utoipa::path(
    post, path = "/webhooks", operation_id = "create_webhook", tag = "webhooks",
    request_body = CreateWebhook,
    responses((status = 201, description = "The webhook with its secrets", body = WebhookKeys)),
    extensions(("x-required-role" = json!("operator"))),
)]
pub(crate) async fn create(
    Authenticated(caller): Authenticated,
    State(app): State<Arc<App>>,
    Body(body): Body<CreateWebhook>,
) -> Result<(StatusCode, Json<WebhookKeys>), ApiError> {
    let added = app.add_webhook(&caller, body.into_input()?).await?;
    Ok((StatusCode::CREATED, Json(WebhookKeys::of(added))))
}
