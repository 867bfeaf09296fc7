//! `GET /sensors/{sensor}/story`

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};

use crate::app::App;
use crate::web::api::audit::AuditLine;
use crate::web::api::authenticated::Authenticated;
use crate::web::api::page::PageQuery;
use crate::web::api::parameters::Parameters;
use crate::web::api::{ApiError, PageOf};

/// Tell the story of a sensor
///
/// All that happened to its identity, newest first: enrolment, certificates, recoveries, conflicts, and what people decided.
#[utoipa::path(
    get, path = "/sensors/{sensor}/story", operation_id = "tell_sensor_story", tag = "sensors",
    params(("sensor" = String, Path, description = "Name or id"), PageQuery),
    responses((status = 200, description = "A page of audit entries", body = PageOf<AuditLine>)),
    extensions(("x-required-role" = json!("viewer"))),
)]
pub(crate) async fn tell(
    Authenticated(caller): Authenticated,
    State(app): State<Arc<App>>,
    Path(sensor): Path<String>,
    Parameters(page): Parameters<PageQuery>,
) -> Result<Json<PageOf<AuditLine>>, ApiError> {
    let page = app.sensor_story(&caller, &sensor, &page.request()?).await?;
    Ok(Json(PageOf::of(page, AuditLine::from)))
}
