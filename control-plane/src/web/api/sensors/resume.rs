//! `POST /sensors/{sensor}/resume`

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};

use super::Sensor;
use crate::app::{App, WantedStanding};
use crate::web::api::ApiError;
use crate::web::api::authenticated::Authenticated;

/// Resume a suspended sensor
///
/// Lets it in again. It asks every 15 minutes, so that is how long it may take.
#[utoipa::path(
    post, path = "/sensors/{sensor}/resume", operation_id = "resume_sensor", tag = "sensors",
    params(("sensor" = String, Path, description = "Name or id")),
    responses((status = 200, description = "The sensor as it is now", body = Sensor)),
    extensions(("x-required-role" = json!("operator"))),
)]
pub(crate) async fn resume(
    Authenticated(caller): Authenticated,
    State(app): State<Arc<App>>,
    Path(sensor): Path<String>,
) -> Result<Json<Sensor>, ApiError> {
    let record = app
        .change_standing(&caller, &sensor, WantedStanding::Resumed)
        .await?;
    let held = app.held_runs(&caller).await?;
    Ok(Json(Sensor::of(&app, record, &held)))
}
