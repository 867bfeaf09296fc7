//! `POST /invitations`

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::{CreateInvitation, CreatedInvitation};
use crate::app::App;
use crate::web::api::ApiError;
use crate::web::api::authenticated::Authenticated;
use crate::web::api::body::Body;

/// Invite a sensor
///
/// Makes an enrolment token for one machine.
#[utoipa::path(
    post, path = "/invitations", operation_id = "create_invitation", tag = "invitations",
    request_body = CreateInvitation,
    responses((status = 201, description = "The invitation with its token", body = CreatedInvitation)),
    extensions(("x-required-role" = json!("admin"))),
)]
pub(crate) async fn create(
    Authenticated(caller): Authenticated,
    State(app): State<Arc<App>>,
    Body(body): Body<CreateInvitation>,
) -> Result<(StatusCode, Json<CreatedInvitation>), ApiError> {
    let ttl = body.ttl_seconds.map(Duration::from_secs);
    let invited = app.invite_sensor(&caller, &body.sensor_name, ttl).await?;
    let created = CreatedInvitation {
        id: invited.id.to_string(),
        sensor_name: body.sensor_name,
        token: invited.token.expose().to_owned(),
        expires_at: invited.expires_at,
    };
    Ok((StatusCode::CREATED, Json(created)))
}
