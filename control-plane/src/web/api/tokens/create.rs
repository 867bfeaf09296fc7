//! `POST /tokens`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use portolan_store::Role;

use super::{CreateToken, CreatedToken};
use crate::app::App;
use crate::web::api::ApiError;
use crate::web::api::authenticated::Authenticated;
use crate::web::api::body::Body;

/// Make an API token
#[utoipa::path(
    post, path = "/tokens", operation_id = "create_token", tag = "access",
    request_body = CreateToken,
    responses((status = 201, description = "The token", body = CreatedToken)),
    extensions(("x-required-role" = json!("admin"))),
)]
pub(crate) async fn create(
    Authenticated(caller): Authenticated,
    State(app): State<Arc<App>>,
    Body(body): Body<CreateToken>,
) -> Result<(StatusCode, Json<CreatedToken>), ApiError> {
    let role: Role = body.role.parse().map_err(|why| ApiError::invalid("role", why))?;
    let made = app
        .create_api_token(&caller, &body.name, role, body.expires_at)
        .await?;
    let view = CreatedToken {
        id: made.id.to_string(),
        name: body.name,
        role: body.role,
        token: made.text.expose().to_owned(),
        expires_at: body.expires_at,
    };
    Ok((StatusCode::CREATED, Json(view)))
}
