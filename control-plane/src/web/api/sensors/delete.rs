//! `DELETE /sensors/{sensor}`

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;

use crate::app::{App, WantedStanding};
use crate::web::api::ApiError;
use crate::web::api::authenticated::Authenticated;

/// Delete a revoked sensor
///
/// Takes it out of sight and frees its name. Its id and its key cannot come back for 400 days.
#[utoipa::path(
    delete, path = "/sensors/{sensor}", operation_id = "delete_sensor", tag = "sensors",
    params(("sensor" = String, Path, description = "Name or id")),
    responses((status = 204, description = "Deleted")),
    extensions(("x-required-role" = json!("admin"))),
)]
pub(crate) async fn delete(
    Authenticated(caller): Authenticated,
    State(app): State<Arc<App>>,
    Path(sensor): Path<String>,
) -> Result<StatusCode, ApiError> {
    app.change_standing(&caller, &sensor, WantedStanding::Deleted)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
