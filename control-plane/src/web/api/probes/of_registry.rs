//! `POST /registries/{registry}/probes`

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;

use super::{CreateRegistryProbe, Probe};
use crate::app::App;
use crate::web::api::ApiError;
use crate::web::api::authenticated::Authenticated;
use crate::web::api::body::Body;
use crate::web::api::credentials::SealedCredentialInput;

/// Probe a registry
///
/// One of its sensors looks at it, stage by stage. Poll the probe until it has ended. Refused with `too_many_probes` while too many wait.
#[utoipa::path(
    post, path = "/registries/{registry}/probes", operation_id = "probe_registry", tag = "probes",
    params(("registry" = String, Path, description = "Name or id")),
    request_body = CreateRegistryProbe,
    responses((status = 202, description = "The probe waits for a sensor", body = Probe)),
    extensions(("x-required-role" = json!("operator"))),
)]
pub(crate) async fn create(
    Authenticated(caller): Authenticated,
    State(app): State<Arc<App>>,
    Path(registry): Path<String>,
    Body(body): Body<CreateRegistryProbe>,
) -> Result<(StatusCode, Json<Probe>), ApiError> {
    let trial = body
        .credential
        .as_ref()
        .map(SealedCredentialInput::read)
        .transpose()?;
    let sensor = body.sensor.as_deref();
    let record = app
        .probe_registry(&caller, &registry, body.repository, sensor, trial)
        .await?;
    let names = app
        .sensor_names(&caller, record.probe.sensors.iter().copied())
        .await?;
    Ok((
        StatusCode::ACCEPTED,
        Json(Probe::of(record, &names, app.clock.now())),
    ))
}
