//! What no schedule may be.

use jiff::Timestamp;
use portolan_shared::model::{RegistryId, limits};
use portolan_store::{Blackouts, Schedule, When};

use super::starts::Starts;
use crate::app::AppError;

/// Refuses a schedule beyond the bounds, and one that would never start anything.
pub(in crate::app) fn check_schedule(
    schedule: &Schedule,
    registry: RegistryId,
    now: Timestamp,
) -> Result<(), AppError> {
    if schedule.blackouts.len() > limits::BLACKOUTS {
        let why = format!("at most {} windows", limits::BLACKOUTS);
        return Err(AppError::invalid("schedule.blackouts", why));
    }
    if schedule
        .jitter_seconds
        .is_some_and(|jitter| jitter > limits::SCHEDULE_JITTER_SECONDS)
    {
        let most = limits::SCHEDULE_JITTER_SECONDS / 3_600;
        let why = format!("at most {most} hours, in seconds: such as 300 for five minutes");
        return Err(AppError::invalid("schedule.jitter_seconds", why));
    }
    if schedule
        .max_run_seconds
        .is_some_and(|most| most.get() > limits::RUN_SECONDS_MOST)
    {
        let most = limits::RUN_SECONDS_MOST / 86_400;
        let why = format!("at most {most} days, in seconds: such as 7200 for two hours");
        return Err(AppError::invalid("schedule.max_run_seconds", why));
    }
    if schedule.when == When::Manual {
        return Ok(());
    }
    if Blackouts::of(schedule).never_end() {
        let why = "they leave no minute of the week, so that nothing would ever start: leave some out, or use the schedule \"manual\"";
        return Err(AppError::invalid("schedule.blackouts", why));
    }
    match Starts::of(schedule, registry).next(now) {
        Some(_) => Ok(()),
        None => Err(AppError::invalid(
            "schedule",
            "it never starts: every start falls into a blackout and is skipped. Choose another time, such as \"daily 20:00\", or \"run_once\" for missed starts",
        )),
    }
}
