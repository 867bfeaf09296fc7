//! What push events named becomes runs.

use jiff::{SignedDuration, Timestamp};
use portolan_shared::model::RunId;
use portolan_store::{Blackouts, DueEvents, QueueOutcome, StoreError};

use crate::app::App;

/// Registries whose events are looked at in one round.
const ROUND: u32 = 1_000;
/// For how long the events of a registry wait that could not be taken over: they are the most overdue, and would come before those of others.
const TROUBLED: SignedDuration = SignedDuration::from_mins(1);

impl App {
    /// Takes events over that are due, and gives of how many registries. Those of a registry in a blackout are put off to its end, so that they keep
    /// none of others waiting.
    pub(super) async fn take_due_events(&self) -> Result<usize, StoreError> {
        let now = self.clock.now();
        let mut queued = 0;
        for due in self.store.due_events(now, ROUND).await? {
            match self.take_events_of(&due, now).await {
                Ok(taken) => queued += usize::from(taken),
                // It would be the same with every other.
                Err(error @ StoreError::Unavailable { .. }) => return Err(error),
                Err(error) => {
                    tracing::error!(
                        registry = %due.registry,
                        error = &error as &dyn std::error::Error,
                        "the events of a registry were not taken over; those of others are"
                    );
                    let later = now.saturating_add(TROUBLED).unwrap_or(now);
                    self.store.put_off_events(&due, later).await?;
                }
            }
        }
        Ok(queued)
    }

    async fn take_events_of(&self, due: &DueEvents, now: Timestamp) -> Result<bool, StoreError> {
        let Some(record) = self.store.registry(due.tenant, due.registry).await? else {
            return Ok(false);
        };
        if let Some(window) = Blackouts::of(&record.registry.schedule).around(now) {
            self.store.put_off_events(due, window.to).await?;
            return Ok(false);
        }
        let run = RunId::generate(&*self.clock, &*self.rng);
        let queued = self.store.queue_event_run(due, run, now).await?;
        match &queued {
            Some(QueueOutcome::Queued) => tracing::debug!(%run, registry = %due.registry, "queued by events"),
            Some(QueueOutcome::Joined(open)) => {
                tracing::debug!(run = %open, registry = %due.registry, "events joined a run");
            }
            Some(QueueOutcome::UnknownRegistry) | None => return Ok(false),
        }
        Ok(true)
    }
}
