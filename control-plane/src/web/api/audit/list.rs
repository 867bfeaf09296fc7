//! `GET /audit`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use super::AuditLine;
use crate::app::App;
use crate::web::api::authenticated::Authenticated;
use crate::web::api::page::PageQuery;
use crate::web::api::parameters::Parameters;
use crate::web::api::{ApiError, PageOf};

/// List what was done
///
/// Newest first.
#[utoipa::path(
    get, path = "/audit", operation_id = "list_audit", tag = "access",
    params(PageQuery),
    responses((status = 200, description = "A page of the audit log", body = PageOf<AuditLine>)),
    extensions(("x-required-role" = json!("viewer"))),
)]
pub(crate) async fn list(
    Authenticated(caller): Authenticated,
    State(app): State<Arc<App>>,
    Parameters(page): Parameters<PageQuery>,
) -> Result<Json<PageOf<AuditLine>>, ApiError> {
    let page = app.audit_log(&caller, &page.request()?).await?;
    Ok(Json(PageOf::of(page, AuditLine::from)))
}
