//! `GET /sensors`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use super::Sensor;
use crate::app::App;
use crate::web::api::authenticated::Authenticated;
use crate::web::api::page::PageQuery;
use crate::web::api::parameters::Parameters;
use crate::web::api::{ApiError, PageOf};

/// List sensors
///
/// By name, revoked ones included.
#[utoipa::path(
    get, path = "/sensors", operation_id = "list_sensors", tag = "sensors",
    params(PageQuery),
    responses((status = 200, description = "A page of sensors", body = PageOf<Sensor>)),
    extensions(("x-required-role" = json!("viewer"))),
)]
pub(crate) async fn list(
    Authenticated(caller): Authenticated,
    State(app): State<Arc<App>>,
    Parameters(page): Parameters<PageQuery>,
) -> Result<Json<PageOf<Sensor>>, ApiError> {
    let page = app.sensors(&caller, &page.request()?).await?;
    let held = app.held_runs(&caller).await?;
    Ok(Json(PageOf::of(page, |record| Sensor::of(&app, record, &held))))
}
