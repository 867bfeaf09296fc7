//! `POST /probes`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::{CreateProbe, Probe};
use crate::app::App;
use crate::web::api::ApiError;
use crate::web::api::authenticated::Authenticated;
use crate::web::api::body::Body;

/// Probe a registry that is not saved
///
/// A sensor looks at it, stage by stage. Poll the probe until it has ended. Refused with `too_many_probes` while too many wait.
#[utoipa::path(
    post, path = "/probes", operation_id = "create_probe", tag = "probes",
    request_body = CreateProbe,
    responses((status = 202, description = "The probe waits for a sensor", body = Probe)),
    extensions(("x-required-role" = json!("operator"))),
)]
pub(crate) async fn create(
    Authenticated(caller): Authenticated,
    State(app): State<Arc<App>>,
    Body(body): Body<CreateProbe>,
) -> Result<(StatusCode, Json<Probe>), ApiError> {
    let (input, repository) = body.into_input()?;
    let record = app.probe_unsaved(&caller, input, repository).await?;
    let names = app
        .sensor_names(&caller, record.probe.sensors.iter().copied())
        .await?;
    Ok((
        StatusCode::ACCEPTED,
        Json(Probe::of(record, &names, app.clock.now())),
    ))
}
