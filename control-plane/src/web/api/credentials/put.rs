//! `PUT /registries/{registry}/credential`

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};

use super::{CredentialView, SealedCredentialInput};
use crate::app::App;
use crate::web::api::ApiError;
use crate::web::api::authenticated::Authenticated;
use crate::web::api::body::Body;

/// Give a registry a sealed credential, or a newer version of its own
///
/// Used from the next request on, also by a run that is under way. The version before is kept until this one has worked. Takes the place of
/// a reference. The version must be the last one and one more, or else `credential_version` says which it must be.
#[utoipa::path(
    put, path = "/registries/{registry}/credential", operation_id = "put_credential", tag = "credentials",
    params(("registry" = String, Path, description = "Name or id")),
    request_body = SealedCredentialInput,
    responses((status = 200, description = "The credential as it is now", body = CredentialView)),
    extensions(("x-required-role" = json!("operator"))),
)]
pub(crate) async fn put(
    Authenticated(caller): Authenticated,
    State(app): State<Arc<App>>,
    Path(registry): Path<String>,
    Body(body): Body<SealedCredentialInput>,
) -> Result<Json<CredentialView>, ApiError> {
    Ok(Json(
        app.put_credential(&caller, &registry, body.read()?).await?.into(),
    ))
}
