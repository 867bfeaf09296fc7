//! `POST /sensors/{sensor}/suspend`

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};

use super::Sensor;
use crate::app::{App, WantedStanding};
use crate::web::api::ApiError;
use crate::web::api::authenticated::Authenticated;

/// Suspend a sensor
///
/// Shuts it out until it is resumed: its session is cut within a second and its work goes back to the queue. It keeps its identity and asks
/// from time to time.
#[utoipa::path(
    post, path = "/sensors/{sensor}/suspend", operation_id = "suspend_sensor", tag = "sensors",
    params(("sensor" = String, Path, description = "Name or id")),
    responses((status = 200, description = "The sensor as it is now", body = Sensor)),
    extensions(("x-required-role" = json!("operator"))),
)]
pub(crate) async fn suspend(
    Authenticated(caller): Authenticated,
    State(app): State<Arc<App>>,
    Path(sensor): Path<String>,
) -> Result<Json<Sensor>, ApiError> {
    let record = app
        .change_standing(&caller, &sensor, WantedStanding::Suspended)
        .await?;
    let held = app.held_runs(&caller).await?;
    Ok(Json(Sensor::of(&app, record, &held)))
}
