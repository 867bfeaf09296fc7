//! `POST /registries/{registry}/runs`

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;

use super::{CreateRun, QueuedRunView, Run};
use crate::app::App;
use crate::web::api::ApiError;
use crate::web::api::authenticated::Authenticated;
use crate::web::api::body::Body;

/// Queue a run
///
/// Of a registry, or of some of its repositories. If one of the same scope waits to begin already, that one is given. One that has begun may have looked
/// before what you want seen was there: a new one is queued, which begins when that has ended (see `behind`), and which the next wish joins.
/// Refused with `outside_patterns` for repositories that the registry's patterns leave out, and with `no_sensor` while all its sensors are revoked.
#[utoipa::path(
    post, path = "/registries/{registry}/runs", operation_id = "queue_run", tag = "runs",
    params(("registry" = String, Path, description = "Name or id")),
    request_body = CreateRun,
    responses(
        (status = 201, description = "A new run is queued", body = QueuedRunView),
        (status = 200, description = "A run of this scope waits to begin already", body = QueuedRunView),
    ),
    extensions(("x-required-role" = json!("operator"))),
)]
pub(crate) async fn queue(
    Authenticated(caller): Authenticated,
    State(app): State<Arc<App>>,
    Path(registry): Path<String>,
    Body(body): Body<CreateRun>,
) -> Result<(StatusCode, Json<QueuedRunView>), ApiError> {
    let queued = app.queue_run(&caller, &registry, body.repositories).await?;
    let names = app.sensor_names(&caller, queued.run.sensor).await?;
    let status = if queued.joined {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    };
    let view = QueuedRunView {
        run: Run::of(queued.run, &names),
        joined: queued.joined,
    };
    Ok((status, Json(view)))
}
