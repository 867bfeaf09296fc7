//! `DELETE /registries/{registry}/credential`

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;

use crate::app::App;
use crate::web::api::ApiError;
use crate::web::api::authenticated::Authenticated;

/// Take a registry its credential
///
/// A reference or a sealed one, every version of it. Sensors are told to forget it; what one of them knew stays good at the registry until it
/// is changed there.
#[utoipa::path(
    delete, path = "/registries/{registry}/credential", operation_id = "remove_credential", tag = "credentials",
    params(("registry" = String, Path, description = "Name or id")),
    responses((status = 204, description = "It has none any more")),
    extensions(("x-required-role" = json!("operator"))),
)]
pub(crate) async fn remove(
    Authenticated(caller): Authenticated,
    State(app): State<Arc<App>>,
    Path(registry): Path<String>,
) -> Result<StatusCode, ApiError> {
    app.remove_credential(&caller, &registry).await?;
    Ok(StatusCode::NO_CONTENT)
}
