//! `GET /schedules/preview`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::{App, NEXT_STARTS};
use crate::web::api::ApiError;
use crate::web::api::authenticated::Authenticated;
use crate::web::api::parameters::Parameters;
use crate::web::api::registries::ScheduleInput;

/// Starts in one preview, at most.
const MOST: usize = 100;

/// A schedule to be looked at.
#[derive(Debug, Clone, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PreviewSchedule {
    /// Such as `daily 03:30` or `0 3 * * mon-fri`.
    expression: String,
    /// Name of the time zone; `UTC` by default.
    zone: Option<String>,
    /// Windows without starts, separated by `;`.
    #[param(example = "mon-fri 08:00-18:00;22:00-02:00")]
    blackouts: Option<String>,
    /// Seconds by which each start is put off at most.
    #[param(value_type = Option<u32>, maximum = 21_600)]
    jitter_seconds: Option<String>,
    /// `run_once` or `skip`.
    missed: Option<String>,
    /// Name or id of the registry whose starts these would be.
    registry: Option<String>,
    /// How many starts, 1 to 100.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 100, default = 5)]
    count: Option<String>,
}

/// What a schedule would come to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SchedulePreview {
    /// The schedule as it was understood.
    pub expression: String,
    /// Its time zone.
    pub zone: String,
    /// The next starts.
    pub starts: Vec<Timestamp>,
    /// Whether the moments follow from the registry, and these are only an example.
    pub example: bool,
}

/// Preview a schedule
///
/// When runs would start by it. Nothing is changed.
#[utoipa::path(
    get, path = "/schedules/preview", operation_id = "preview_schedule", tag = "registries",
    params(PreviewSchedule),
    responses((status = 200, description = "The next starts", body = SchedulePreview)),
    extensions(("x-required-role" = json!("viewer"))),
)]
pub(crate) async fn preview(
    Authenticated(caller): Authenticated,
    State(app): State<Arc<App>>,
    Parameters(query): Parameters<PreviewSchedule>,
) -> Result<Json<SchedulePreview>, ApiError> {
    let count = match &query.count {
        None => NEXT_STARTS,
        Some(text) => text
            .parse()
            .ok()
            .filter(|count| (1..=MOST).contains(count))
            .ok_or_else(|| ApiError::out_of_bounds("count", 1, MOST as u64))?,
    };
    let registry = query.registry.clone();
    let schedule = query.into_input()?.into_schedule()?;
    let preview = app
        .preview_schedule(&caller, &schedule, registry.as_deref(), count)
        .await?;
    Ok(Json(SchedulePreview {
        expression: schedule.when.to_string(),
        zone: schedule.zone.to_string(),
        starts: preview.starts,
        example: preview.example,
    }))
}

impl PreviewSchedule {
    fn into_input(self) -> Result<ScheduleInput, ApiError> {
        let jitter = self.jitter_seconds.map(|text| text.parse());
        let windows = |text: String| {
            let windows = text.split(';').map(str::trim).filter(|window| !window.is_empty());
            windows.map(str::to_owned).collect()
        };
        Ok(ScheduleInput {
            expression: Some(self.expression),
            zone: self.zone,
            jitter_seconds: jitter
                .transpose()
                .map_err(|_| ApiError::out_of_bounds("jitter_seconds", 0, 21_600))?
                .map(Some),
            blackouts: self.blackouts.map(windows),
            missed: self.missed,
            ..ScheduleInput::default()
        })
    }
}
