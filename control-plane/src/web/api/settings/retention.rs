//! `GET` and `PUT /settings/retention`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use portolan_store::Retention;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::web::api::ApiError;
use crate::web::api::authenticated::Authenticated;
use crate::web::api::body::Body;

/// How long the past is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Retention)]
pub struct RetentionView {
    /// Days of tags' history, 1 to 36,500; null for ever. Of a tag that was there when that begins, it stays known what it pointed to.
    #[schema(minimum = 1, maximum = 36500)]
    pub history_days: Option<u32>,
    /// Days of runs that have ended, 7 to 36,500; null for ever. Of each registry the latest run of the whole stays, and the latest that was
    /// complete.
    #[schema(minimum = 7, maximum = 36500)]
    pub runs_days: Option<u32>,
}

impl RetentionView {
    fn of(retention: Retention) -> Self {
        Self {
            history_days: retention.history_days,
            runs_days: retention.runs_days,
        }
    }
}

/// Show how long the past is kept
#[utoipa::path(
    get, path = "/settings/retention", operation_id = "show_retention", tag = "settings",
    responses((status = 200, description = "The settings", body = RetentionView)),
    extensions(("x-required-role" = json!("admin"))),
)]
pub(crate) async fn show(
    Authenticated(caller): Authenticated,
    State(app): State<Arc<App>>,
) -> Result<Json<RetentionView>, ApiError> {
    Ok(Json(RetentionView::of(app.retention(&caller).await?)))
}

/// Change how long the past is kept
///
/// What is older is removed within minutes, little by little, and does not come back.
#[utoipa::path(
    put, path = "/settings/retention", operation_id = "replace_retention", tag = "settings",
    request_body = RetentionView,
    responses((status = 200, description = "The settings as they are now", body = RetentionView)),
    extensions(("x-required-role" = json!("admin"))),
)]
pub(crate) async fn replace(
    Authenticated(caller): Authenticated,
    State(app): State<Arc<App>>,
    Body(wanted): Body<RetentionView>,
) -> Result<Json<RetentionView>, ApiError> {
    let retention = Retention {
        history_days: wanted.history_days,
        runs_days: wanted.runs_days,
    };
    app.set_retention(&caller, retention).await?;
    Ok(Json(wanted))
}
