//! `POST /sensors/{sensor}/approve`

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use data_encoding::HEXLOWER_PERMISSIVE;
use serde::Deserialize;

use super::Sensor;
use crate::app::{App, WantedStanding};
use crate::web::api::ApiError;
use crate::web::api::authenticated::Authenticated;
use crate::web::api::parameters::Parameters;

/// Whom an approval is for.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ApproveQuery {
    /// Only the machine with this fingerprint, of those that the sensor's story shows: 32 hexadecimal digits. Without it: whoever comes first.
    fingerprint: Option<String>,
}

impl ApproveQuery {
    fn fingerprint(&self) -> Result<Option<[u8; 16]>, ApiError> {
        let Some(text) = &self.fingerprint else {
            return Ok(None);
        };
        let bytes = HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok();
        let bytes: Option<[u8; 16]> = bytes.and_then(|bytes| bytes.try_into().ok());
        bytes
            .map(Some)
            .ok_or_else(|| ApiError::malformed("fingerprint must have 32 hexadecimal digits"))
    }
}

/// Approve a sensor
///
/// Says that this is the right machine: for 24 hours it may recover without questions, until it has opened a session, although its state is
/// older than its last session, or it was away for more than 30 days. A quarantine ends with that recovery; if there is none, it goes on.
/// Where its identity was in two places, whoever comes first is let in, or with `fingerprint` only the machine that says this of itself. A
/// thief can say it too: whoever holds the identity key and asks more often than the right machine gets in first. Then revoke the sensor and
/// enrol the machine anew. On a contested sensor it says besides that the machine which was enrolled first is the right one.
#[utoipa::path(
    post, path = "/sensors/{sensor}/approve", operation_id = "approve_sensor", tag = "sensors",
    params(("sensor" = String, Path, description = "Name or id"), ApproveQuery),
    responses((status = 200, description = "The sensor as it is now", body = Sensor)),
    extensions(("x-required-role" = json!("admin"))),
)]
pub(crate) async fn approve(
    Authenticated(caller): Authenticated,
    State(app): State<Arc<App>>,
    Path(sensor): Path<String>,
    Parameters(query): Parameters<ApproveQuery>,
) -> Result<Json<Sensor>, ApiError> {
    let wanted = WantedStanding::Approved {
        fingerprint: query.fingerprint()?,
    };
    let record = app.change_standing(&caller, &sensor, wanted).await?;
    let held = app.held_runs(&caller).await?;
    Ok(Json(Sensor::of(&app, record, &held)))
}
