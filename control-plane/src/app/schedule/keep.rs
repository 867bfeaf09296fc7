//! The one loop behind schedules and events.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use portolan_shared::model::{RunId, Scope};
use portolan_shared::process::Shutdown;
use portolan_store::{DueRegistry, NewRun, PlannedStart, StartOutcome, StoreError};

use super::decide::decide;
use super::lapses::MERCY;
use crate::app::App;
use crate::app::mercy::Mercy;

/// Longest pause between two looks: another replica may have changed something.
const LOOK: Duration = Duration::from_secs(1);
/// Pause while events are due and none could be taken over: another replica was first, or the database cannot be reached.
const HELD_UP: Duration = Duration::from_millis(200);
/// Shortest pause between two looks, whatever asks for the next.
const BREATH: Duration = Duration::from_millis(5);
/// Registries that are started or planned in one look, the most overdue first. What is left is done after the events that came meanwhile: a fleet that
/// starts at once keeps no push event waiting.
const ROUND: u32 = 100;
/// By how much the clock may go back before what it wrote is put right.
const SET_BACK: SignedDuration = SignedDuration::from_mins(1);
/// How often what events left behind is cleared away, and told of.
const TIDY: SignedDuration = SignedDuration::from_mins(1);

/// What the loop remembers from one look to the next. Losing it costs nothing but a look.
#[derive(Debug)]
struct Memory {
    /// Keeps runs from being ended whose time has come all of a sudden.
    mercy: Mercy,
    /// When it last looked.
    looked_at: Option<Timestamp>,
    /// When it last cleared away.
    tidied_at: Option<Timestamp>,
}

/// What came of one look at schedules.
#[derive(Debug, Clone, Copy, Default)]
struct Round {
    /// Runs that were queued, or joined.
    queued: usize,
    /// There may be more.
    more: bool,
}

impl App {
    /// Starts what is due until draining begins: when it is told to, when something becomes due, and every second.
    pub async fn keep_schedule(self: Arc<Self>, shutdown: Shutdown) {
        let mut memory = Memory {
            mercy: Mercy::begin(&self, MERCY),
            looked_at: None,
            tidied_at: None,
        };
        let mut pause = BREATH;
        loop {
            tokio::select! {
                () = shutdown.draining() => return,
                () = tokio::time::sleep(pause) => {}
                () = async {
                    tokio::time::sleep(BREATH).await;
                    self.signals.schedule.notified().await;
                } => {}
            }
            pause = self.look_at_schedules(&mut memory).await;
        }
    }

    /// Looks once at everything, and gives how long to pause. What fails is logged and tried again at the next look, and keeps nothing else back.
    async fn look_at_schedules(&self, memory: &mut Memory) -> Duration {
        let told = |what: &'static str, error: &StoreError| {
            tracing::warn!(error = error as &dyn std::error::Error, "{what}");
        };
        let round = self.start_due(memory).await.unwrap_or_else(|error| {
            told("schedules were not looked at", &error);
            Round::default()
        });
        let taken = self.take_due_events().await.unwrap_or_else(|error| {
            told("events were not taken over", &error);
            0
        });
        if let Err(error) = self.store.judge_silence(self.clock.now()).await {
            told("it was not looked for changes that no event announced", &error);
        }
        if !memory.mercy.holds(self)
            && let Err(error) = self.end_lapsed_runs().await
        {
            told("runs that have lapsed were not looked for", &error);
        }
        if let Err(error) = self.tidy_events(memory).await {
            told("what events left behind was not cleared away", &error);
        }
        if round.queued + taken > 0 {
            self.signals.runs.notify_one();
        }
        if round.more {
            return BREATH;
        }
        match self.store.next_event_due().await {
            Ok(due) => pause_until(due, self.clock.now(), taken > 0),
            Err(error) => {
                told("it is not known when events are due", &error);
                LOOK
            }
        }
    }

    /// Plans what was changed, and starts what is due.
    async fn start_due(&self, memory: &mut Memory) -> Result<Round, StoreError> {
        let now = self.clock.now();
        let looked_at = memory.looked_at.replace(now);
        let set_back = looked_at.is_some_and(|before| before.duration_since(now) > SET_BACK);
        if set_back {
            tracing::warn!("the clock was set back: what it wrote while it was ahead is put right");
        }
        // It may have been set back before this process began.
        if (set_back || looked_at.is_none())
            && let Err(error) = self.store.clock_is(now).await
        {
            memory.looked_at = looked_at;
            return Err(error);
        }
        let due = self.store.due_registries(now, ROUND).await?;
        let full = due.len() >= usize::try_from(ROUND).unwrap_or(usize::MAX);
        let mut round = Round::default();
        for registry in &due {
            match self.start_one(registry, now).await {
                Ok(outcome) => {
                    round.more = full;
                    round.queued +=
                        usize::from(matches!(outcome, StartOutcome::Queued | StartOutcome::Joined(_)));
                }
                // It would be the same with every other.
                Err(error @ StoreError::Unavailable { .. }) => return Err(error),
                Err(error) => tracing::error!(
                    registry = %registry.registry,
                    error = &error as &dyn std::error::Error,
                    "a registry was not started; the others are"
                ),
            }
        }
        Ok(round)
    }

    async fn start_one(&self, due: &DueRegistry, now: Timestamp) -> Result<StartOutcome, StoreError> {
        let decision = decide(due, now);
        let run = decision.start.map(|start| NewRun {
            id: RunId::generate(&*self.clock, &*self.rng),
            tenant: due.tenant,
            registry: due.registry,
            trigger: start.trigger,
            scope: Scope::default(),
            requested_by: start.requested_by(),
            now,
        });
        let planned = PlannedStart {
            tenant: due.tenant,
            registry: due.registry,
            version: due.version,
            planned: due.planned,
            was: due.next_start_at,
            unannounced_at: due.unannounced_at,
            next_start_at: decision.next_start_at,
            run,
        };
        let outcome = self.store.start_planned(&planned, now).await?;
        let (registry, next) = (&due.name, decision.next_start_at.map(tracing::field::display));
        match (&outcome, decision.start) {
            (StartOutcome::Queued | StartOutcome::Joined(_), Some(start)) => {
                let since = start.since.map(tracing::field::display);
                tracing::info!(%registry, since, next, "started by its schedule");
            }
            _ => tracing::debug!(%registry, ?outcome, next, "scheduled"),
        }
        Ok(outcome)
    }

    async fn tidy_events(&self, memory: &mut Memory) -> Result<(), StoreError> {
        let now = self.clock.now();
        let is_due = |at: Timestamp| now.duration_since(at).abs() >= TIDY;
        if memory.tidied_at.is_none_or(is_due) {
            self.store.forget_idle_events(now).await?;
            // Of very many the rest is told of at the looks that follow: nothing waits for that, least of all the end of the process.
            if self.store.sum_up_looks(now).await? == 0 {
                memory.tidied_at = Some(now);
            }
        }
        Ok(())
    }
}

/// How long to pause if events become due then, where some have been taken over just now or not.
fn pause_until(due: Option<Timestamp>, now: Timestamp, taken: bool) -> Duration {
    let Some(due) = due else { return LOOK };
    match Duration::try_from(due.duration_since(now)) {
        Ok(left) if !left.is_zero() => left.clamp(BREATH, LOOK),
        _ if taken => BREATH,
        _ => HELD_UP,
    }
}
