//! `DELETE /registries/{registry}`

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;

use crate::app::App;
use crate::web::api::ApiError;
use crate::web::api::authenticated::Authenticated;

/// Remove a registry
///
/// With its inventory, history and runs. There is no way back.
#[utoipa::path(
    delete, path = "/registries/{registry}", operation_id = "remove_registry", tag = "registries",
    params(("registry" = String, Path, description = "Name or id")),
    responses((status = 204, description = "Removed")),
    extensions(("x-required-role" = json!("operator"))),
)]
pub(crate) async fn remove(
    Authenticated(caller): Authenticated,
    State(app): State<Arc<App>>,
    Path(registry): Path<String>,
) -> Result<StatusCode, ApiError> {
    app.remove_registry(&caller, &registry).await?;
    Ok(StatusCode::NO_CONTENT)
}
