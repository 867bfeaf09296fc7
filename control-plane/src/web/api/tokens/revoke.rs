//! `DELETE /tokens/{token}`

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;

use crate::app::App;
use crate::web::api::ApiError;
use crate::web::api::authenticated::Authenticated;
use crate::web::api::routes::id;

/// Revoke an API token
///
/// At once, for every request that begins after the answer. A caller may revoke its own.
#[utoipa::path(
    delete, path = "/tokens/{token}", operation_id = "revoke_token", tag = "access",
    params(("token" = String, Path, description = "Id")),
    responses((status = 204, description = "Revoked")),
    extensions(("x-required-role" = json!("admin"))),
)]
pub(crate) async fn revoke(
    Authenticated(caller): Authenticated,
    State(app): State<Arc<App>>,
    Path(token): Path<String>,
) -> Result<StatusCode, ApiError> {
    app.revoke_api_token(&caller, id("token", &token)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
