//! `GET /webhooks`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use super::Webhook;
use crate::app::App;
use crate::web::api::authenticated::Authenticated;
use crate::web::api::page::PageQuery;
use crate::web::api::parameters::Parameters;
use crate::web::api::{ApiError, PageOf};

/// List webhooks
///
/// By name.
#[utoipa::path(
    get, path = "/webhooks", operation_id = "list_webhooks", tag = "webhooks",
    params(PageQuery),
    responses((status = 200, description = "A page of webhooks", body = PageOf<Webhook>)),
    extensions(("x-required-role" = json!("viewer"))),
)]
pub(crate) async fn list(
    Authenticated(caller): Authenticated,
    State(app): State<Arc<App>>,
    Parameters(page): Parameters<PageQuery>,
) -> Result<Json<PageOf<Webhook>>, ApiError> {
    let page = app.webhooks(&caller, &page.request()?).await?;
    Ok(Json(PageOf::of(page, Webhook::from)))
}
