//! `GET /sensors/{sensor}/story`

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use portolan_store::AuditOrder;
use serde::Deserialize;

use crate::app::App;
use crate::web::api::audit::AuditLine;
use crate::web::api::authenticated::Authenticated;
use crate::web::api::page::page_request;
use crate::web::api::parameters::Parameters;
use crate::web::api::{ApiError, PageOf};

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct TellStory {
    /// From which end it is told: `newest_first` or `oldest_first`. A cursor goes on in the order of the page that gave it.
    #[param(default = "newest_first")]
    order: Option<String>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Items in the page, 1 to 1,000.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 1000, default = 100)]
    limit: Option<String>,
}

/// Tell the story of a sensor
///
/// All that happened to its identity: its invitation, enrolment, certificates, recoveries, conflicts, and what people decided.
#[utoipa::path(
    get, path = "/sensors/{sensor}/story", operation_id = "tell_sensor_story", tag = "sensors",
    params(("sensor" = String, Path, description = "Name or id"), TellStory),
    responses((status = 200, description = "A page of audit entries", body = PageOf<AuditLine>)),
    extensions(("x-required-role" = json!("viewer"))),
)]
pub(crate) async fn tell(
    Authenticated(caller): Authenticated,
    State(app): State<Arc<App>>,
    Path(sensor): Path<String>,
    Parameters(query): Parameters<TellStory>,
) -> Result<Json<PageOf<AuditLine>>, ApiError> {
    let page = page_request(query.cursor, query.limit)?;
    let order = match query.order.as_deref() {
        None | Some("newest_first") => AuditOrder::NewestFirst,
        Some("oldest_first") => AuditOrder::OldestFirst,
        Some(_) => return Err(ApiError::invalid("order", "must be newest_first or oldest_first")),
    };
    let page = app.sensor_story(&caller, &sensor, order, &page).await?;
    Ok(Json(PageOf::of(page, AuditLine::from)))
}
