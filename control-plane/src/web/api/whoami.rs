//! `GET /whoami`

use axum::Json;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ApiError;
use super::authenticated::Authenticated;

/// The caller, as its token proves it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Whoami {
    /// In which tenant everything happens.
    #[schema(format = "uuid")]
    pub tenant_id: String,
    /// The token's id.
    #[schema(format = "uuid")]
    pub token_id: String,
    /// The token's name.
    pub token_name: String,
    /// `viewer`, `operator` or `admin`.
    pub role: String,
}

/// Show who the caller is
#[utoipa::path(
    get, path = "/whoami", operation_id = "whoami", tag = "access",
    responses((status = 200, description = "The caller", body = Whoami)),
    extensions(("x-required-role" = json!("viewer"))),
)]
pub(super) async fn show(Authenticated(caller): Authenticated) -> Result<Json<Whoami>, ApiError> {
    Ok(Json(Whoami {
        tenant_id: caller.tenant.to_string(),
        token_id: caller.token.to_string(),
        token_name: caller.token_name,
        role: caller.role.to_string(),
    }))
}
