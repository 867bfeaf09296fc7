//! When a registry is read: what is said of it, and what it looks like.

use std::num::NonZeroU32;

use jiff::Timestamp;
use portolan_store::{Blackout, RegistryRecord, Schedule};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::{SchedulePatch, next_starts};
use crate::web::api::ApiError;
use crate::web::api::body::nullable;

/// When a registry is read. What is not named stays as it is; of a new registry, as the default says.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ChangeSchedule)]
pub struct ScheduleInput {
    /// When runs start by themselves: `manual` (never, the default), `every 15m` (or `6h`, `2d`), `hourly`, `daily`, `daily 03:30`, `weekly`,
    /// `weekly sun 03:30`, `on-push`, or five fields of cron: minute, hour, day of month, month, day of week. Where no time is named, it follows
    /// from the registry, so that a fleet is spread. `on-push` looks at what push events name, and once a day for what none has announced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "daily 03:30", max_length = 128)]
    pub expression: Option<String>,
    /// Time zone of expression and blackouts, a name of the IANA database; `UTC` by default. A time of day that is skipped when clocks are set forward
    /// comes at the end of the gap, one that comes twice when they are set back comes the first time; intervals, `hourly` and cron with `*` or a step
    /// as hours go by elapsed time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "Europe/Berlin")]
    pub zone: Option<String>,
    /// Seconds by which each start is put off at most, by a number that follows from registry and start; null for what suits the expression: a tenth of
    /// an interval but at most 300, 60 for a time that was named, else none.
    #[serde(
        default,
        deserialize_with = "nullable",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<u32>, maximum = 21_600)]
    pub jitter_seconds: Option<Option<u32>>,
    /// Windows in that zone in which nothing starts but what people start, each as `[DAYS ]HH:MM-HH:MM`. One that ends at or before its
    /// beginning ends on the next day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_items = 32, example = json!(["mon-fri 08:00-18:00", "22:00-02:00"]))]
    pub blackouts: Option<Vec<String>>,
    /// Seconds after which a run fails, from when a sensor first takes it; null for a day, or a month where requests per day are bounded.
    #[serde(
        default,
        deserialize_with = "nullable",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 2_678_400)]
    pub max_run_seconds: Option<Option<NonZeroU32>>,
    /// What becomes of a start that could not be at its time because nothing ran that could have started it, or that falls into a blackout:
    /// `run_once` (one run as soon as possible, the default) or `skip`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "run_once")]
    pub missed: Option<String>,
    /// Whether nothing starts but what people start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<bool>,
}

impl ScheduleInput {
    pub(in crate::web::api) fn into_patch(self) -> Result<SchedulePatch, ApiError> {
        let blackouts = self.blackouts.map(|windows| {
            let read = windows.iter().map(|window| window.parse::<Blackout>());
            read.collect::<Result<Vec<_>, _>>()
        });
        Ok(SchedulePatch {
            when: read("schedule.expression", self.expression)?,
            zone: read("schedule.zone", self.zone)?,
            jitter_seconds: self.jitter_seconds,
            blackouts: blackouts
                .transpose()
                .map_err(|error| ApiError::invalid("schedule.blackouts", error))?,
            max_run_seconds: self.max_run_seconds,
            missed: read("schedule.missed", self.missed)?,
            paused: self.paused,
        })
    }

    pub(in crate::web::api) fn into_schedule(self) -> Result<Schedule, ApiError> {
        Ok(self.into_patch()?.applied_to(Schedule::default()))
    }
}

fn read<T: std::str::FromStr<Err: std::fmt::Display>>(
    member: &'static str,
    text: Option<String>,
) -> Result<Option<T>, ApiError> {
    text.map(|text| text.parse())
        .transpose()
        .map_err(|error| ApiError::invalid(member, error))
}

/// When a registry is read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Schedule)]
pub struct ScheduleView {
    /// Such as `daily 03:30`.
    pub expression: String,
    /// Time zone of expression and blackouts.
    pub zone: String,
    /// Seconds by which each start is put off at most; what suits the expression if null.
    pub jitter_seconds: Option<u32>,
    /// Windows without starts.
    pub blackouts: Vec<String>,
    /// Seconds after which a run fails; the default if null.
    pub max_run_seconds: Option<u32>,
    /// What becomes of a missed start: `run_once` or `skip`.
    pub missed: String,
    /// Whether nothing starts but what people start.
    pub paused: bool,
    /// The next starts, at most five; none if it is paused or `manual`.
    pub next: Vec<Timestamp>,
}

impl ScheduleView {
    pub(super) fn of(record: &RegistryRecord, now: Timestamp) -> Self {
        let schedule = &record.registry.schedule;
        Self {
            expression: schedule.when.to_string(),
            zone: schedule.zone.to_string(),
            jitter_seconds: schedule.jitter_seconds,
            blackouts: schedule.blackouts.iter().map(ToString::to_string).collect(),
            max_run_seconds: schedule.max_run_seconds.map(NonZeroU32::get),
            missed: schedule.missed.to_string(),
            paused: schedule.paused,
            next: next_starts(record, now),
        }
    }
}
