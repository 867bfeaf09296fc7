//! `DELETE /invitations/{invitation}`

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use portolan_shared::model::InvitationId;

use crate::app::App;
use crate::web::api::ApiError;
use crate::web::api::authenticated::Authenticated;
use crate::web::api::routes::id;

/// Withdraw an invitation
///
/// Its token opens nothing any more. A sensor that used it stays: revoke the sensor.
#[utoipa::path(
    delete, path = "/invitations/{invitation}", operation_id = "revoke_invitation", tag = "invitations",
    params(("invitation" = String, Path, description = "Id")),
    responses((status = 204, description = "Withdrawn")),
    extensions(("x-required-role" = json!("admin"))),
)]
pub(crate) async fn revoke(
    Authenticated(caller): Authenticated,
    State(app): State<Arc<App>>,
    Path(invitation): Path<String>,
) -> Result<StatusCode, ApiError> {
    let invitation: InvitationId = id("invitation", &invitation)?;
    app.revoke_invitation(&caller, invitation).await?;
    Ok(StatusCode::NO_CONTENT)
}
