//! `GET /status`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use super::StatusView;
use crate::app::App;
use crate::web::api::ApiError;
use crate::web::api::authenticated::Authenticated;

/// Show whether everything is well
///
/// And if not, what to do first: things of which nothing new is seen come before those that are not seen whole, these before risks, and those before
/// advice.
#[utoipa::path(
    get, path = "/status", operation_id = "show_status", tag = "inventory",
    responses((status = 200, description = "The status", body = StatusView)),
    extensions(("x-required-role" = json!("viewer"))),
)]
pub(crate) async fn show(
    Authenticated(caller): Authenticated,
    State(app): State<Arc<App>>,
) -> Result<Json<StatusView>, ApiError> {
    Ok(Json(app.status(&caller).await?.into()))
}
