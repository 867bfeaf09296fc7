//! `GET /sensors/{sensor}/sealing-key`

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};

use super::SealingKeyView;
use crate::app::App;
use crate::web::api::ApiError;
use crate::web::api::authenticated::Authenticated;

/// Show the sealing key of a sensor
///
/// The latest, which credentials are sealed to. `not_found` until the sensor has published one.
#[utoipa::path(
    get, path = "/sensors/{sensor}/sealing-key", operation_id = "show_sealing_key", tag = "credentials",
    params(("sensor" = String, Path, description = "Name or id")),
    responses((status = 200, description = "The key", body = SealingKeyView)),
    extensions(("x-required-role" = json!("viewer"))),
)]
pub(crate) async fn show(
    Authenticated(caller): Authenticated,
    State(app): State<Arc<App>>,
    Path(sensor): Path<String>,
) -> Result<Json<SealingKeyView>, ApiError> {
    let (sensor, key) = app.sealing_key(&caller, &sensor).await?;
    Ok(Json(SealingKeyView::of(sensor, &key)))
}
