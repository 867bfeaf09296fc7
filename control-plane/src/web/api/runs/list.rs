//! `GET /runs`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use portolan_shared::model::RunState;
use serde::Deserialize;

use super::Run;
use crate::app::App;
use crate::web::api::authenticated::Authenticated;
use crate::web::api::page::page_request;
use crate::web::api::parameters::Parameters;
use crate::web::api::{ApiError, PageOf};

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListRuns {
    /// Only of this registry, by name or id.
    registry: Option<String>,
    /// Only in this state.
    state: Option<String>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Items in the page, 1 to 1,000.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 1000, default = 100)]
    limit: Option<String>,
}

/// List runs
///
/// Newest first.
#[utoipa::path(
    get, path = "/runs", operation_id = "list_runs", tag = "runs",
    params(ListRuns),
    responses((status = 200, description = "A page of runs", body = PageOf<Run>)),
    extensions(("x-required-role" = json!("viewer"))),
)]
pub(crate) async fn list(
    Authenticated(caller): Authenticated,
    State(app): State<Arc<App>>,
    Parameters(query): Parameters<ListRuns>,
) -> Result<Json<PageOf<Run>>, ApiError> {
    let page = page_request(query.cursor, query.limit)?;
    let state = query
        .state
        .map(|word| word.parse::<RunState>())
        .transpose()
        .map_err(|why| ApiError::invalid("state", why))?;
    let page = app.runs(&caller, query.registry.as_deref(), state, &page).await?;
    let names = app
        .sensor_names(&caller, page.items.iter().filter_map(|run| run.sensor))
        .await?;
    Ok(Json(PageOf::of(page, |record| Run::of(record, &names))))
}
