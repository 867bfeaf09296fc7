//! `GET /webhooks/{webhook}/deliveries`

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};

use super::DeliveryView;
use crate::app::App;
use crate::web::api::authenticated::Authenticated;
use crate::web::api::page::PageQuery;
use crate::web::api::parameters::Parameters;
use crate::web::api::{ApiError, PageOf};

/// List what came of the last deliveries to a webhook
///
/// Attempts and tests, newest first; the last 200 are kept.
#[utoipa::path(
    get, path = "/webhooks/{webhook}/deliveries", operation_id = "list_deliveries", tag = "webhooks",
    params(("webhook" = String, Path, description = "Name or id"), PageQuery),
    responses((status = 200, description = "A page of attempts", body = PageOf<DeliveryView>)),
    extensions(("x-required-role" = json!("viewer"))),
)]
pub(crate) async fn list(
    Authenticated(caller): Authenticated,
    State(app): State<Arc<App>>,
    Path(webhook): Path<String>,
    Parameters(page): Parameters<PageQuery>,
) -> Result<Json<PageOf<DeliveryView>>, ApiError> {
    let page = app
        .webhook_deliveries(&caller, &webhook, &page.request()?)
        .await?;
    Ok(Json(PageOf::of(page, DeliveryView::from)))
}
