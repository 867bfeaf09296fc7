//! `GET /history`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;

use super::LedgerLine;
use crate::app::App;
use crate::web::api::authenticated::Authenticated;
use crate::web::api::page::page_request;
use crate::web::api::parameters::Parameters;
use crate::web::api::{ApiError, PageOf};

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListHistory {
    /// `REGISTRY/REPOSITORY:TAG` for one tag, `REGISTRY/REPOSITORY` for all; the registry as in `GET /images`.
    reference: String,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Items in the page, 1 to 1,000.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 1000, default = 100)]
    limit: Option<String>,
}

/// List what happened to a tag
///
/// Or to all tags of a repository. Newest first. A tag that was never seen, or has been gone for longer than history is kept, gives `404`.
#[utoipa::path(
    get, path = "/history", operation_id = "list_history", tag = "inventory",
    params(ListHistory),
    responses((status = 200, description = "A page of the ledger", body = PageOf<LedgerLine>)),
    extensions(("x-required-role" = json!("viewer"))),
)]
pub(crate) async fn list(
    Authenticated(caller): Authenticated,
    State(app): State<Arc<App>>,
    Parameters(query): Parameters<ListHistory>,
) -> Result<Json<PageOf<LedgerLine>>, ApiError> {
    let page = page_request(query.cursor, query.limit)?;
    let (place, page) = app.history(&caller, &query.reference, &page).await?;
    Ok(Json(PageOf::of(page, |row| LedgerLine::of(&place, row))))
}
