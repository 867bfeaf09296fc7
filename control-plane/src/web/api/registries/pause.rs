//! `POST /registries/{registry}/pause`

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};

use super::Registry;
use crate::app::App;
use crate::web::api::ApiError;
use crate::web::api::authenticated::Authenticated;

/// Pause a registry's schedule
///
/// Nothing of it starts but what people start, until it is resumed. What is under way goes on.
#[utoipa::path(
    post, path = "/registries/{registry}/pause", operation_id = "pause_registry", tag = "registries",
    params(("registry" = String, Path, description = "Name or id")),
    responses((status = 200, description = "The registry as it is now", body = Registry)),
    extensions(("x-required-role" = json!("operator"))),
)]
pub(crate) async fn pause(
    Authenticated(caller): Authenticated,
    State(app): State<Arc<App>>,
    Path(registry): Path<String>,
) -> Result<Json<Registry>, ApiError> {
    let record = app.pause_registry(&caller, &registry, true).await?;
    let known = app
        .known_registries(&caller, std::slice::from_ref(&record))
        .await?;
    Ok(Json(Registry::of(record, &known, app.clock.now())))
}
