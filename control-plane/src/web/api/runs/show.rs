//! `GET /runs/{run}`

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};

use super::Run;
use crate::app::App;
use crate::web::api::ApiError;
use crate::web::api::authenticated::Authenticated;
use crate::web::api::routes::id;

/// Show a run
///
/// Poll it with `If-None-Match` to watch it.
#[utoipa::path(
    get, path = "/runs/{run}", operation_id = "show_run", tag = "runs",
    params(("run" = String, Path, description = "Id")),
    responses((status = 200, description = "The run", body = Run)),
    extensions(("x-required-role" = json!("viewer"))),
)]
pub(crate) async fn show(
    Authenticated(caller): Authenticated,
    State(app): State<Arc<App>>,
    Path(run): Path<String>,
) -> Result<Json<Run>, ApiError> {
    let record = app.run(&caller, id("run", &run)?).await?;
    let names = app.sensor_names(&caller, record.sensor).await?;
    Ok(Json(Run::of(record, &names)))
}
