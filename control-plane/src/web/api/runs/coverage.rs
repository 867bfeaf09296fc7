//! `GET /runs/{run}/coverage`

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};

use super::CoverageLine;
use crate::app::App;
use crate::web::api::authenticated::Authenticated;
use crate::web::api::page::PageQuery;
use crate::web::api::parameters::Parameters;
use crate::web::api::routes::id;
use crate::web::api::{ApiError, PageOf};

/// List what a run did not see
///
/// Every repository in scope that it did not see completely, by name, and why. An empty list and a complete discovery mean that it saw
/// everything.
#[utoipa::path(
    get, path = "/runs/{run}/coverage", operation_id = "list_run_coverage", tag = "runs",
    params(("run" = String, Path, description = "Id"), PageQuery),
    responses((status = 200, description = "A page of repositories", body = PageOf<CoverageLine>)),
    extensions(("x-required-role" = json!("viewer"))),
)]
pub(crate) async fn coverage(
    Authenticated(caller): Authenticated,
    State(app): State<Arc<App>>,
    Path(run): Path<String>,
    Parameters(page): Parameters<PageQuery>,
) -> Result<Json<PageOf<CoverageLine>>, ApiError> {
    let page = app
        .run_coverage(&caller, id("run", &run)?, &page.request()?)
        .await?;
    Ok(Json(PageOf::of(page, CoverageLine::from)))
}
