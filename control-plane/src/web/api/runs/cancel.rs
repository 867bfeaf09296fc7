//! `POST /runs/{run}/cancel`

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};

use super::Run;
use crate::app::App;
use crate::web::api::ApiError;
use crate::web::api::authenticated::Authenticated;
use crate::web::api::routes::id;

/// Cancel a run
///
/// From this moment nothing more of it is accepted; what was committed stays. Cancelling a cancelled run changes nothing; one that ended
/// otherwise gives `409`.
#[utoipa::path(
    post, path = "/runs/{run}/cancel", operation_id = "cancel_run", tag = "runs",
    params(("run" = String, Path, description = "Id")),
    responses((status = 200, description = "The run as it is now", body = Run)),
    extensions(("x-required-role" = json!("operator"))),
)]
pub(crate) async fn cancel(
    Authenticated(caller): Authenticated,
    State(app): State<Arc<App>>,
    Path(run): Path<String>,
) -> Result<Json<Run>, ApiError> {
    let record = app.cancel_run(&caller, id("run", &run)?).await?;
    let names = app.sensor_names(&caller, record.sensor).await?;
    Ok(Json(Run::of(record, &names)))
}
