//! `GET /placements`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use portolan_shared::model::Digest;
use serde::Deserialize;

use super::PlacementsView;
use crate::app::App;
use crate::web::api::ApiError;
use crate::web::api::authenticated::Authenticated;
use crate::web::api::page::page_request;
use crate::web::api::parameters::Parameters;

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListPlacements {
    /// Digest of a manifest or of an image config.
    digest: String,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Items in the page, 1 to 1,000.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 1000, default = 100)]
    limit: Option<String>,
}

/// List where a digest is
///
/// Every tag by which it is reached, by registry, repository and tag. A digest of which nothing is known gives `404`.
#[utoipa::path(
    get, path = "/placements", operation_id = "list_placements", tag = "inventory",
    params(ListPlacements),
    responses((status = 200, description = "A page of places", body = PlacementsView)),
    extensions(("x-required-role" = json!("viewer"))),
)]
pub(crate) async fn list(
    Authenticated(caller): Authenticated,
    State(app): State<Arc<App>>,
    Parameters(query): Parameters<ListPlacements>,
) -> Result<Json<PlacementsView>, ApiError> {
    let page = page_request(query.cursor, query.limit)?;
    let digest: Digest = query
        .digest
        .parse()
        .map_err(|error| ApiError::invalid("digest", error))?;
    let places = app.placements(&caller, &digest, &page).await?;
    Ok(Json(PlacementsView::from(places)))
}
