//! `POST /registries/{registry}/preview`

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};

use super::ChangeRegistry;
use super::previewed::RegistryPreview;
use crate::app::App;
use crate::web::api::ApiError;
use crate::web::api::authenticated::Authenticated;
use crate::web::api::body::Body;

/// Preview a change of a registry's filters
///
/// What they would match of the inventory of the last run if the registry were changed like this. Nothing is changed and the registry is not
/// asked: what the present filters leave out is not in the inventory, so that it is not known what of it other filters would take in.
#[utoipa::path(
    post, path = "/registries/{registry}/preview", operation_id = "preview_registry", tag = "registries",
    params(("registry" = String, Path, description = "Name or id")),
    request_body = ChangeRegistry,
    responses((status = 200, description = "What the filters would match", body = RegistryPreview)),
    extensions(("x-required-role" = json!("viewer"))),
)]
pub(crate) async fn preview(
    Authenticated(caller): Authenticated,
    State(app): State<Arc<App>>,
    Path(registry): Path<String>,
    Body(body): Body<ChangeRegistry>,
) -> Result<Json<RegistryPreview>, ApiError> {
    let preview = app
        .preview_registry(&caller, &registry, &body.into_patch()?)
        .await?;
    Ok(Json(RegistryPreview::from(preview)))
}
