//! What came to the door and is no event, until it is written.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use portolan_shared::model::{RegistryId, TenantId};
use portolan_shared::process::Shutdown;
use portolan_store::{EventDoor, EventIntake, StoreError};

use super::answered::{Answered, By, Outcome, Refused};
use crate::app::App;

/// How often counts are written.
const WRITE_EVERY: Duration = Duration::from_secs(5);
/// Registries with counts that wait: those of others are lost above, until these are written.
const REGISTRIES: usize = 10_000;

/// Counts of what was ignored and what was refused, by registry, until they are written; and of all answers, since the start.
#[derive(Debug, Default)]
pub struct EventTally {
    waiting: Mutex<HashMap<(TenantId, RegistryId), Passed>>,
    answered: Answered,
}

#[derive(Debug, Clone, Copy, Default)]
struct Passed {
    ignored: u64,
    refused: u64,
    last_refused: Option<Refused>,
}

impl EventTally {
    /// What was answered since the start, in Prometheus's text format.
    #[must_use]
    pub fn render(&self) -> String {
        self.answered.render()
    }

    /// Counts so many of which this became.
    pub(super) fn answered(&self, by: By, outcome: Outcome, count: u64) {
        self.answered.count(by, outcome, count);
    }

    /// Counts one of a registry that was refused at the control plane's own door.
    pub(super) fn refused(&self, tenant: TenantId, registry: RegistryId, why: Refused) {
        self.answered(By::Webhook, Outcome::Refused(why), 1);
        self.count(tenant, registry, |passed| {
            passed.refused += 1;
            passed.last_refused = Some(why);
        });
    }

    /// Counts what changes no inventory, and came to that door.
    pub(super) fn ignored(&self, tenant: TenantId, registry: RegistryId, count: u64) {
        self.answered(By::Webhook, Outcome::Ignored, count);
        self.count(tenant, registry, |passed| passed.ignored += count);
    }

    fn count(&self, tenant: TenantId, registry: RegistryId, add: impl FnOnce(&mut Passed)) {
        let mut counts = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() < REGISTRIES || counts.contains_key(&(tenant, registry)) {
            add(counts.entry((tenant, registry)).or_default());
        }
    }

    fn take(&self) -> HashMap<(TenantId, RegistryId), Passed> {
        std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl App {
    /// Writes what was counted, every few seconds, and once more at the end.
    pub async fn keep_event_counts(self: Arc<Self>, shutdown: Shutdown) {
        loop {
            let over = tokio::select! {
                () = shutdown.draining() => true,
                () = tokio::time::sleep(WRITE_EVERY) => false,
            };
            self.write_event_counts().await;
            if over {
                return;
            }
        }
    }

    /// Writes what was counted. What could not be written is lost, and the log says so.
    pub async fn write_event_counts(&self) {
        #[expect(
            clippy::iter_over_hash_type,
            reason = "each is written by itself, in whatever order"
        )]
        for ((tenant, registry), passed) in self.event_tally.take() {
            let intake = EventIntake {
                tenant,
                registry,
                door: EventDoor::Webhook,
                subjects: Vec::new(),
                named_at: BTreeMap::new(),
                ignored: passed.ignored,
                refused: passed.refused,
                last_refused: passed.last_refused.map(|why| why.as_str().to_owned()),
                now: self.clock.now(),
            };
            match self.store.note_events(&intake).await {
                Ok(_) | Err(StoreError::Unknown { .. }) => {}
                Err(error) => tracing::warn!(
                    %registry,
                    ignored = passed.ignored,
                    refused = passed.refused,
                    error = &error as &dyn std::error::Error,
                    "counts of notifications were not written"
                ),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use portolan_shared::process::SeededRng;

    #[test]
    fn what_is_kept_is_bounded() {
        let rng = SeededRng::new(1);
        let (tally, tenant) = (EventTally::default(), TenantId::random(&rng));
        let first = RegistryId::random(&rng);
        tally.refused(tenant, first, Refused::WrongSecret);
        for _ in 1..REGISTRIES + 10 {
            tally.refused(tenant, RegistryId::random(&rng), Refused::WrongSecret);
        }
        tally.refused(tenant, first, Refused::Malformed);
        tally.ignored(tenant, first, 7);
        let taken = tally.take();
        assert_eq!(taken.len(), REGISTRIES);
        let of_first = taken[&(tenant, first)];
        assert_eq!(
            (of_first.refused, of_first.last_refused),
            (2, Some(Refused::Malformed))
        );
        assert_eq!(of_first.ignored, 7);
        assert!(tally.take().is_empty());
        let told = tally.render();
        let all = format!(
            "portolan_push_events_total{{door=\"webhook\",outcome=\"wrong_secret\"}} {}",
            REGISTRIES + 10
        );
        assert!(told.contains(&all), "{told}");
    }
}
