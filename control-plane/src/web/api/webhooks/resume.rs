//! `POST /webhooks/{webhook}/resume`

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;

use super::Webhook;
use crate::app::App;
use crate::web::api::ApiError;
use crate::web::api::authenticated::Authenticated;
use crate::web::api::parameters::Parameters;

/// How it goes on.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ResumeWebhook {
    /// Whether it is not told of what has changed so far.
    #[serde(default)]
    #[param(default = false)]
    skip: bool,
}

/// Let a webhook that is paused or disabled go on
///
/// From where it is, without a gap; with `skip`, from now.
#[utoipa::path(
    post, path = "/webhooks/{webhook}/resume", operation_id = "resume_webhook", tag = "webhooks",
    params(("webhook" = String, Path, description = "Name or id"), ResumeWebhook),
    responses((status = 200, description = "The webhook as it is now", body = Webhook)),
    extensions(("x-required-role" = json!("operator"))),
)]
pub(crate) async fn resume(
    Authenticated(caller): Authenticated,
    State(app): State<Arc<App>>,
    Path(webhook): Path<String>,
    Parameters(query): Parameters<ResumeWebhook>,
) -> Result<Json<Webhook>, ApiError> {
    let record = app.resume_webhook(&caller, &webhook, query.skip).await?;
    Ok(Json(record.into()))
}
