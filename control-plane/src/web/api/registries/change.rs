//! `PATCH /registries/{registry}`

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::HeaderMap;

use super::{ChangeRegistry, Registry};
use crate::app::App;
use crate::web::api::ApiError;
use crate::web::api::authenticated::Authenticated;
use crate::web::api::body::Body;
use crate::web::api::conditional::seen_version;

/// Change a registry
///
/// Changes the members that are named. With `If-Match`, only if nobody else has changed it since. A run that is under way goes on as it
/// began.
#[utoipa::path(
    patch, path = "/registries/{registry}", operation_id = "change_registry", tag = "registries",
    params(
        ("registry" = String, Path, description = "Name or id"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of what the caller saw"),
    ),
    request_body = ChangeRegistry,
    responses((status = 200, description = "The registry as it is now", body = Registry)),
    extensions(("x-required-role" = json!("operator"))),
)]
pub(crate) async fn change(
    Authenticated(caller): Authenticated,
    State(app): State<Arc<App>>,
    Path(registry): Path<String>,
    headers: HeaderMap,
    Body(body): Body<ChangeRegistry>,
) -> Result<Json<Registry>, ApiError> {
    let patch = body.into_patch()?;
    let record = app
        .change_registry(&caller, &registry, patch, seen_version(&headers)?)
        .await?;
    let known = app
        .known_registries(&caller, std::slice::from_ref(&record))
        .await?;
    Ok(Json(Registry::of(record, &known, app.clock.now())))
}
