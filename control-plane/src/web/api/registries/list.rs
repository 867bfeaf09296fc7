//! `GET /registries`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use super::Registry;
use crate::app::App;
use crate::web::api::authenticated::Authenticated;
use crate::web::api::page::PageQuery;
use crate::web::api::parameters::Parameters;
use crate::web::api::{ApiError, PageOf};

/// Registries in a page at most: each may have a thousand patterns.
const PAGE: u16 = 100;

/// List registries
///
/// By name, at most 100 in a page.
#[utoipa::path(
    get, path = "/registries", operation_id = "list_registries", tag = "registries",
    params(PageQuery),
    responses((status = 200, description = "A page of registries", body = PageOf<Registry>)),
    extensions(("x-required-role" = json!("viewer"))),
)]
pub(crate) async fn list(
    Authenticated(caller): Authenticated,
    State(app): State<Arc<App>>,
    Parameters(page): Parameters<PageQuery>,
) -> Result<Json<PageOf<Registry>>, ApiError> {
    let mut request = page.request()?;
    request.limit = request.limit.min(PAGE);
    let page = app.registries(&caller, &request).await?;
    let known = app.known_registries(&caller, &page.items).await?;
    let now = app.clock.now();
    let listed = |record| Registry::listed(record, &known, now);
    Ok(Json(PageOf::of(page, listed)))
}
