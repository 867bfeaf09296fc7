//! `GET /probes/{probe}`

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};

use super::Probe;
use crate::app::App;
use crate::web::api::ApiError;
use crate::web::api::authenticated::Authenticated;
use crate::web::api::routes::id;

/// Show a probe
///
/// Poll it with `If-None-Match` until it has ended. Kept for seven days.
#[utoipa::path(
    get, path = "/probes/{probe}", operation_id = "show_probe", tag = "probes",
    params(("probe" = String, Path, description = "Id")),
    responses((status = 200, description = "The probe", body = Probe)),
    extensions(("x-required-role" = json!("viewer"))),
)]
pub(crate) async fn show(
    Authenticated(caller): Authenticated,
    State(app): State<Arc<App>>,
    Path(probe): Path<String>,
) -> Result<Json<Probe>, ApiError> {
    let record = app.probe(&caller, id("probe", &probe)?).await?;
    let names = app
        .sensor_names(&caller, record.probe.sensors.iter().copied())
        .await?;
    Ok(Json(Probe::of(record, &names, app.clock.now())))
}
