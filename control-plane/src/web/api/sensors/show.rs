//! `GET /sensors/{sensor}`

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};

use super::Sensor;
use crate::app::App;
use crate::web::api::ApiError;
use crate::web::api::authenticated::Authenticated;

/// Show a sensor
#[utoipa::path(
    get, path = "/sensors/{sensor}", operation_id = "show_sensor", tag = "sensors",
    params(("sensor" = String, Path, description = "Name or id")),
    responses((status = 200, description = "The sensor", body = Sensor)),
    extensions(("x-required-role" = json!("viewer"))),
)]
pub(crate) async fn show(
    Authenticated(caller): Authenticated,
    State(app): State<Arc<App>>,
    Path(sensor): Path<String>,
) -> Result<Json<Sensor>, ApiError> {
    let record = app.sensor(&caller, &sensor).await?;
    let held = app.held_runs(&caller).await?;
    Ok(Json(Sensor::of(&app, record, &held)))
}
