//! `GET /runs/{run}/coverage`

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use portolan_shared::model::RepositoryOutcome;
use serde::Deserialize;

use super::CoverageLine;
use crate::app::App;
use crate::web::api::authenticated::Authenticated;
use crate::web::api::page::page_request;
use crate::web::api::parameters::Parameters;
use crate::web::api::routes::id;
use crate::web::api::{ApiError, PageOf};

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListCoverage {
    /// Only with this outcome: `incomplete`, `truncated`, `denied`, `missing`, `failed`, `refused` or `filtered`.
    outcome: Option<String>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Items in the page, 1 to 1,000.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 1000, default = 100)]
    limit: Option<String>,
}

/// List what a run did not see
///
/// Every repository in scope that it did not see completely, by name, and why. An empty list and a complete discovery mean that it saw
/// everything. With `outcome=filtered`: those that were found and that the registry's patterns left out; a run names 1,000 of them, and
/// its `coverage` has how many there are and how many are named.
#[utoipa::path(
    get, path = "/runs/{run}/coverage", operation_id = "list_run_coverage", tag = "runs",
    params(("run" = String, Path, description = "Id"), ListCoverage),
    responses((status = 200, description = "A page of repositories", body = PageOf<CoverageLine>)),
    extensions(("x-required-role" = json!("viewer"))),
)]
pub(crate) async fn coverage(
    Authenticated(caller): Authenticated,
    State(app): State<Arc<App>>,
    Path(run): Path<String>,
    Parameters(query): Parameters<ListCoverage>,
) -> Result<Json<PageOf<CoverageLine>>, ApiError> {
    let page = page_request(query.cursor, query.limit)?;
    let outcome = query.outcome.as_deref().map(short).transpose()?;
    let page = app
        .run_coverage(&caller, id("run", &run)?, outcome, &page)
        .await?;
    Ok(Json(PageOf::of(page, CoverageLine::from)))
}

/// An outcome that can be asked for: repositories that were seen completely are not listed.
fn short(word: &str) -> Result<RepositoryOutcome, ApiError> {
    let outcome = word
        .parse::<RepositoryOutcome>()
        .map_err(|why| ApiError::invalid("outcome", why))?;
    if outcome.is_complete() {
        let why = format!("repositories that are {outcome} are not listed: see those of the registry");
        return Err(ApiError::invalid("outcome", why));
    }
    Ok(outcome)
}
