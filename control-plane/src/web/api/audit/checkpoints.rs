//! `GET /audit/checkpoints`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use super::AuditCheckpoint;
use crate::app::App;
use crate::web::api::authenticated::Authenticated;
use crate::web::api::page::PageQuery;
use crate::web::api::parameters::Parameters;
use crate::web::api::{ApiError, PageOf};

/// List the signed checkpoints of the audit log
///
/// Newest first; the last 10,000 are kept. Keep one elsewhere: a log that was rewritten does not pass through it any more.
#[utoipa::path(
    get, path = "/audit/checkpoints", operation_id = "list_audit_checkpoints", tag = "access",
    params(PageQuery),
    responses((status = 200, description = "A page of checkpoints", body = PageOf<AuditCheckpoint>)),
    extensions(("x-required-role" = json!("viewer"))),
)]
pub(crate) async fn list(
    Authenticated(caller): Authenticated,
    State(app): State<Arc<App>>,
    Parameters(page): Parameters<PageQuery>,
) -> Result<Json<PageOf<AuditCheckpoint>>, ApiError> {
    let page = app.audit_checkpoints(&caller, &page.request()?).await?;
    Ok(Json(PageOf::of(page, |signed| {
        AuditCheckpoint::of(caller.tenant, &signed)
    })))
}
