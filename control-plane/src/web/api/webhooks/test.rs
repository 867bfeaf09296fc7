//! `POST /webhooks/{webhook}/test`

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};

use super::TestedView;
use crate::app::App;
use crate::web::api::ApiError;
use crate::web::api::authenticated::Authenticated;

/// Try a webhook out
///
/// Sends one event of the type `io.portolan.webhook.test` at once, in whatever state the webhook is, and answers what came of it; within half a minute. What came of it stands
/// in the logs also if nobody waits for it. Two tests of a tenant, and eight of all, may be under way at once: a further one is refused as `too_many_tests`, and sends nothing.
#[utoipa::path(
    post, path = "/webhooks/{webhook}/test", operation_id = "test_webhook", tag = "webhooks",
    params(("webhook" = String, Path, description = "Name or id")),
    responses((status = 200, description = "What came of it", body = TestedView)),
    extensions(("x-required-role" = json!("operator"))),
)]
pub(crate) async fn test(
    Authenticated(caller): Authenticated,
    State(app): State<Arc<App>>,
    Path(webhook): Path<String>,
) -> Result<Json<TestedView>, ApiError> {
    Ok(Json(app.test_webhook(&caller, &webhook).await?.into()))
}
