//! `GET /credentials`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use super::CredentialView;
use crate::app::App;
use crate::web::api::authenticated::Authenticated;
use crate::web::api::page::PageQuery;
use crate::web::api::parameters::Parameters;
use crate::web::api::{ApiError, PageOf};

/// Credentials in a page at most: each may have hundreds of recipients.
const PAGE: u16 = 100;

/// List credentials
///
/// Of registries that have one, by the registries' names, at most 100 in a page.
#[utoipa::path(
    get, path = "/credentials", operation_id = "list_credentials", tag = "credentials",
    params(PageQuery),
    responses((status = 200, description = "A page of credentials", body = PageOf<CredentialView>)),
    extensions(("x-required-role" = json!("viewer"))),
)]
pub(crate) async fn list(
    Authenticated(caller): Authenticated,
    State(app): State<Arc<App>>,
    Parameters(page): Parameters<PageQuery>,
) -> Result<Json<PageOf<CredentialView>>, ApiError> {
    let mut request = page.request()?;
    request.limit = request.limit.min(PAGE);
    let page = app.credentials(&caller, &request).await?;
    Ok(Json(PageOf::of(page, CredentialView::from)))
}
