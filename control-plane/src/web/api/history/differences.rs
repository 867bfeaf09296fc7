//! `GET /registries/{registry}/changes`

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;

use super::TagDifferenceView;
use crate::app::App;
use crate::web::api::authenticated::Authenticated;
use crate::web::api::page::page_request;
use crate::web::api::parameters::{Parameters, time};
use crate::web::api::{ApiError, KnownPageOf};

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListDifferences {
    /// Compare with what was known at this time, RFC 3339. A time of which nothing is known any more gives `410` with the code
    /// `history_forgotten`. Before `known_from`, what was there already counts as having appeared.
    #[param(value_type = String, format = DateTime)]
    since: String,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Items in the page, 1 to 1,000.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 1000, default = 100)]
    limit: Option<String>,
}

/// List what is different since some time
///
/// By repository and tag. A tag that is again as it was then is not different.
#[utoipa::path(
    get, path = "/registries/{registry}/changes", operation_id = "list_differences", tag = "inventory",
    params(("registry" = String, Path, description = "Name or id"), ListDifferences),
    responses((status = 200, description = "A page of differences", body = KnownPageOf<TagDifferenceView>)),
    extensions(("x-required-role" = json!("viewer"))),
)]
pub(crate) async fn list(
    Authenticated(caller): Authenticated,
    State(app): State<Arc<App>>,
    Path(registry): Path<String>,
    Parameters(query): Parameters<ListDifferences>,
) -> Result<Json<KnownPageOf<TagDifferenceView>>, ApiError> {
    let page = page_request(query.cursor, query.limit)?;
    let since = time("since", &query.since)?;
    let (registry, found) = app.differences(&caller, &registry, since, &page).await?;
    let name = &registry.registry.name;
    let view = |difference| TagDifferenceView::of(name, difference);
    Ok(Json(KnownPageOf::of(found.page, found.known_from, view)))
}
