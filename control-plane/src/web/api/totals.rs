//! `GET /totals`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ApiError;
use super::authenticated::Authenticated;
use crate::app::App;

/// How much there is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Totals {
    /// Registries.
    pub registries: u64,
    /// Repositories that have not vanished.
    pub repositories: u64,
    /// Tags.
    pub tags: u64,
    /// Manifests held.
    pub manifests: u64,
}

/// Show how much there is
#[utoipa::path(
    get, path = "/totals", operation_id = "show_totals", tag = "inventory",
    responses((status = 200, description = "The sums", body = Totals)),
    extensions(("x-required-role" = json!("viewer"))),
)]
pub(super) async fn show(
    Authenticated(caller): Authenticated,
    State(app): State<Arc<App>>,
) -> Result<Json<Totals>, ApiError> {
    let totals = app.totals(&caller).await?;
    Ok(Json(Totals {
        registries: totals.registries,
        repositories: totals.repositories,
        tags: totals.tags,
        manifests: totals.manifests,
    }))
}
