//! Starts that wait for a sensor.

use jiff::{SignedDuration, Timestamp};
use portolan_shared::model::{Finding, FindingCode, RunState};
use portolan_store::RunRecord;

/// For how long a start may wait before it is said that it is overdue.
const OVERDUE_AFTER: SignedDuration = SignedDuration::from_mins(15);

/// For how long something has waited that should have begun at `since`, if that is so long that it is to be said.
pub(in crate::app) fn overdue(since: Timestamp, now: Timestamp) -> Option<SignedDuration> {
    let waited = now.duration_since(since);
    (waited > OVERDUE_AFTER).then_some(waited)
}

/// A run that waits for a sensor for too long, with a finding that says so; one that says already why it waits stays as it is. It waits since the first
/// that is no person has asked for it, or since it may be tried again: as [`WaitingRun`](portolan_store::WaitingRun) has it of all runs of a registry.
pub(in crate::app) fn with_lateness(mut run: RunRecord, now: Timestamp) -> RunRecord {
    if run.state != RunState::Queued {
        return run;
    }
    // It was put off, and that is over: it waits for a sensor like any other.
    let over = |finding: &Finding| finding.code == FindingCode::ScheduleBlackout && run.not_before <= now;
    if run.finding.as_ref().is_some_and(over) {
        run.finding = None;
    }
    if run.finding.is_some() {
        return run;
    }
    let asked = run.reasons.iter().filter(|reason| !reason.is_a_persons());
    let Some(asked) = asked.map(|reason| reason.at).min() else {
        return run;
    };
    let since = asked.max(run.not_before);
    let Some(waited) = overdue(since, now) else {
        return run;
    };
    let minutes = waited.as_mins();
    let seen =
        format!("it should have begun at {since:.0}, and no sensor has taken it for {minutes} minutes");
    RunRecord {
        finding: Some(Finding::new(FindingCode::ScheduleOverdue, &seen)),
        ..run
    }
}
