//! `POST /registries/{registry}/resume`

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};

use super::Registry;
use crate::app::App;
use crate::web::api::ApiError;
use crate::web::api::authenticated::Authenticated;

/// Resume a registry's schedule
///
/// It goes on from now: starts that were missed meanwhile are not made up for.
#[utoipa::path(
    post, path = "/registries/{registry}/resume", operation_id = "resume_registry", tag = "registries",
    params(("registry" = String, Path, description = "Name or id")),
    responses((status = 200, description = "The registry as it is now", body = Registry)),
    extensions(("x-required-role" = json!("operator"))),
)]
pub(crate) async fn resume(
    Authenticated(caller): Authenticated,
    State(app): State<Arc<App>>,
    Path(registry): Path<String>,
) -> Result<Json<Registry>, ApiError> {
    let record = app.pause_registry(&caller, &registry, false).await?;
    let known = app
        .known_registries(&caller, std::slice::from_ref(&record))
        .await?;
    Ok(Json(Registry::of(record, &known, app.clock.now())))
}
