//! What is to be done for one registry now.

use jiff::{SignedDuration, Timestamp};
use portolan_shared::model::{RegistryId, RunTrigger};
use portolan_store::{DueRegistry, MissedStart, Schedule, When};

use super::starts::Starts;

/// How late a start may be before it counts as missed.
pub(super) const MISSED_AFTER: SignedDuration = SignedDuration::from_mins(5);
/// For how long a registry that is read on push is reconciled every hour once a run has found changes that no event had announced.
pub(super) const HURRY: SignedDuration = SignedDuration::from_hours(24);

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Decision {
    /// A run that starts now.
    pub(super) start: Option<Start>,
    /// When to look again.
    pub(super) next_start_at: Option<Timestamp>,
}

/// A run that starts now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Start {
    pub(super) trigger: RunTrigger,
    /// Since when it would have been due, if it was missed.
    pub(super) since: Option<Timestamp>,
}

impl Start {
    /// Who asks for the run.
    pub(super) fn requested_by(&self) -> String {
        match self.since {
            None => SCHEDULE.to_owned(),
            Some(since) => format!("{SCHEDULE}: missed since {since:.0}"),
        }
    }
}

/// The schedule as somebody who asks for runs.
pub(super) const SCHEDULE: &str = "schedule";

/// What is to be done for a registry at `now`. Deciding again once that is done gives that nothing is to be done.
pub(super) fn decide(due: &DueRegistry, now: Timestamp) -> Decision {
    let nothing = |next_start_at| Decision {
        start: None,
        next_start_at,
    };
    if !due.schedule.has_starts() {
        return nothing(None);
    }
    let starts = starts_of(&due.schedule, due.registry, due.unannounced_at, now);
    let was = match due.next_start_at {
        Some(was) if due.planned => was,
        _ => return nothing(first(&Seen::of(due), &due.schedule, &starts, now)),
    };
    if was > now {
        return nothing(Some(was));
    }
    let missed = now.duration_since(was) > MISSED_AFTER;
    let skips = due.schedule.missed == MissedStart::Skip;
    if missed && skips {
        return nothing(starts.next(now));
    }
    // A start that is late may have come into a blackout.
    if let Some(reopens) = starts.reopen(now) {
        let next = if skips { starts.next(now) } else { Some(reopens) };
        return nothing(next);
    }
    let trigger = match due.schedule.when {
        When::OnPush => RunTrigger::Reconcile,
        _ => RunTrigger::Schedule,
    };
    Decision {
        start: Some(Start {
            trigger,
            since: missed.then_some(was),
        }),
        next_start_at: starts.next(now),
    }
}

/// The starts that count at `now`.
pub(super) fn starts_of(
    schedule: &Schedule,
    registry: RegistryId,
    unannounced_at: Option<Timestamp>,
    now: Timestamp,
) -> Starts<'_> {
    let in_a_hurry = unannounced_at.is_some_and(|at| now.duration_since(at) < HURRY);
    if schedule.when == When::OnPush && in_a_hurry {
        Starts::hourly(schedule, registry)
    } else {
        Starts::of(schedule, registry)
    }
}

/// What the first start of a schedule depends on: what has been seen of the registry, and since when events are to say more.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    pub(super) last_attempt_at: Option<Timestamp>,
    pub(super) last_success_at: Option<Timestamp>,
    pub(super) events_since: Option<Timestamp>,
    pub(super) unannounced_at: Option<Timestamp>,
}

impl Seen {
    fn of(due: &DueRegistry) -> Self {
        Self {
            last_attempt_at: due.last_attempt_at,
            last_success_at: due.last_success_at,
            events_since: due.events_since,
            unannounced_at: due.unannounced_at,
        }
    }
}

/// The first start of a schedule that has just been made. Events say what changes, not what is there: where they are to be relied on, everything is
/// read as soon as possible unless it was since they are.
pub(super) fn first(
    seen: &Seen,
    schedule: &Schedule,
    starts: &Starts<'_>,
    now: Timestamp,
) -> Option<Timestamp> {
    let since = |at: Option<Timestamp>| at.is_some() && at >= seen.events_since;
    // One that is never complete, and in a hurry, has its time: nothing would come between one run and the next.
    let hurried = seen.unannounced_at.is_some() && since(seen.last_attempt_at);
    if schedule.when == When::OnPush && !since(seen.last_success_at) && !hurried {
        return starts.reopen(now).or(Some(now));
    }
    starts.next(now)
}
