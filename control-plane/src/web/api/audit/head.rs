//! `GET /audit/head`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use super::AuditLogHead;
use crate::app::App;
use crate::web::api::ApiError;
use crate::web::api::authenticated::Authenticated;

/// Show where the audit log stands
///
/// Kept beside the records: a log that ends before it was cut. With it comes the key that signs checkpoints, which is not in the database:
/// keep it, and take no checkpoint by another.
#[utoipa::path(
    get, path = "/audit/head", operation_id = "show_audit_head", tag = "access",
    responses((status = 200, description = "Its last record and hash", body = AuditLogHead)),
    extensions(("x-required-role" = json!("viewer"))),
)]
pub(crate) async fn show(
    Authenticated(caller): Authenticated,
    State(app): State<Arc<App>>,
) -> Result<Json<AuditLogHead>, ApiError> {
    let head = app.audit_head(&caller).await?;
    let key = app.audit_key.public();
    Ok(Json(AuditLogHead::of(caller.tenant, &head, Some(key))))
}
