//! `GET /registries/{registry}/credential`

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};

use super::CredentialView;
use crate::app::App;
use crate::web::api::ApiError;
use crate::web::api::authenticated::Authenticated;

/// Show the credential of a registry
///
/// What it is bound to and who can open it; never its content.
#[utoipa::path(
    get, path = "/registries/{registry}/credential", operation_id = "show_credential", tag = "credentials",
    params(("registry" = String, Path, description = "Name or id")),
    responses((status = 200, description = "The credential", body = CredentialView)),
    extensions(("x-required-role" = json!("viewer"))),
)]
pub(crate) async fn show(
    Authenticated(caller): Authenticated,
    State(app): State<Arc<App>>,
    Path(registry): Path<String>,
) -> Result<Json<CredentialView>, ApiError> {
    Ok(Json(app.credential(&caller, &registry).await?.into()))
}
