//! The next starts, as people see them.

use jiff::Timestamp;
use portolan_shared::model::RegistryId;
use portolan_shared::process::SeededRng;
use portolan_store::{RegistryRecord, Role, Schedule};

use super::decide::{Seen, first, starts_of};
use super::starts::Starts;
use super::{check_schedule, slots};
use crate::app::{App, AppError, Caller};

/// Starts that people are shown.
pub const NEXT_STARTS: usize = 5;

/// The next starts of a registry; none if it is paused or is read by hand. The first has passed if it is about to be acted on.
#[must_use]
pub fn next_starts(record: &RegistryRecord, now: Timestamp) -> Vec<Timestamp> {
    let registry = &record.registry;
    let schedule = &registry.schedule;
    if !schedule.has_starts() {
        return Vec::new();
    }
    let starts = starts_of(schedule, registry.id, record.unannounced_at, now);
    let first = if record.planned {
        record.next_start_at
    } else {
        // Nobody has looked at it yet. This is what will be seen.
        let seen = Seen {
            last_attempt_at: record.last_attempt_at,
            last_success_at: record.last_success_at,
            events_since: record.events_since,
            unannounced_at: record.unannounced_at,
        };
        first(&seen, schedule, &starts, now)
    };
    let further = starts.after(first.unwrap_or(now).max(now));
    first.into_iter().chain(further).take(NEXT_STARTS).collect()
}

/// What a schedule would come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreviewStarts {
    /// The next starts.
    pub starts: Vec<Timestamp>,
    /// The moments follow from the registry, and these are those of an example.
    pub example: bool,
}

impl App {
    /// The next starts that a schedule would have: for a registry if one is named, else for an example of one.
    ///
    /// # Errors
    /// [`AppError::Invalid`] for a schedule that is refused.
    pub async fn preview_schedule(
        &self,
        caller: &Caller,
        schedule: &Schedule,
        registry: Option<&str>,
        count: usize,
    ) -> Result<PreviewStarts, AppError> {
        caller.require(Role::Viewer)?;
        let now = self.clock.now();
        let id = match registry {
            Some(name) => self.registry(caller, name).await?.registry.id,
            None => RegistryId::random(&SeededRng::new(0)),
        };
        let of = schedule.clone();
        // Whoever asks chooses how much there is to reckon: off the reactor.
        let starts = tokio::task::spawn_blocking(move || {
            check_schedule(&of, id, now)?;
            Ok::<_, AppError>(Starts::of(&of, id).after(now).take(count).collect())
        });
        Ok(PreviewStarts {
            starts: starts
                .await
                .map_err(|error| AppError::Internal(Box::new(error)))??,
            example: registry.is_none() && slots::leaves_the_moment_open(&schedule.when),
        })
    }
}
