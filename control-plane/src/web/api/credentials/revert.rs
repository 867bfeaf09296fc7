//! `POST /registries/{registry}/credential/revert`

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};

use super::CredentialView;
use crate::app::App;
use crate::web::api::ApiError;
use crate::web::api::authenticated::Authenticated;

/// Go back to the version of a credential before
///
/// While it is kept: until the registry has accepted the one in use. Refused with `no_former_credential` afterwards.
#[utoipa::path(
    post, path = "/registries/{registry}/credential/revert", operation_id = "revert_credential", tag = "credentials",
    params(("registry" = String, Path, description = "Name or id")),
    responses((status = 200, description = "The credential as it is now", body = CredentialView)),
    extensions(("x-required-role" = json!("operator"))),
)]
pub(crate) async fn revert(
    Authenticated(caller): Authenticated,
    State(app): State<Arc<App>>,
    Path(registry): Path<String>,
) -> Result<Json<CredentialView>, ApiError> {
    Ok(Json(app.revert_credential(&caller, &registry).await?.into()))
}
