//! `POST /sensors/{sensor}/revoke`

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};

use super::Sensor;
use crate::app::{App, WantedStanding};
use crate::web::api::ApiError;
use crate::web::api::authenticated::Authenticated;

/// Revoke a sensor
///
/// Shuts it out for good: its session is cut within a second, and its certificate opens nothing any more. Its work goes back to the
/// queue. Revoking a revoked sensor changes nothing. To use the machine again, enrol it anew.
#[utoipa::path(
    post, path = "/sensors/{sensor}/revoke", operation_id = "revoke_sensor", tag = "sensors",
    params(("sensor" = String, Path, description = "Name or id")),
    responses((status = 200, description = "The sensor as it is now", body = Sensor)),
    extensions(("x-required-role" = json!("admin"))),
)]
pub(crate) async fn revoke(
    Authenticated(caller): Authenticated,
    State(app): State<Arc<App>>,
    Path(sensor): Path<String>,
) -> Result<Json<Sensor>, ApiError> {
    let record = app
        .change_standing(&caller, &sensor, WantedStanding::Revoked)
        .await?;
    let held = app.held_runs(&caller).await?;
    Ok(Json(Sensor::of(&app, record, &held)))
}
