//! Starts that wait for a sensor.

use jiff::{SignedDuration, Timestamp};
use portolan_shared::model::{Finding, FindingCode, RunState, RunTrigger};
use portolan_store::{RunReason, RunRecord};

/// For how long a start may wait before it is said that it is overdue.
pub(in crate::app) const OVERDUE_AFTER: SignedDuration = SignedDuration::from_mins(15);

/// A run that its schedule has started and that no sensor has taken for so long, with a finding that says so. One that says already why it waits stays as
/// it is.
pub(in crate::app) fn with_lateness(run: RunRecord, now: Timestamp) -> RunRecord {
    let waits = run.state == RunState::Queued && run.attempt == 0 && run.finding.is_none();
    let since = run
        .reasons
        .iter()
        .find(|reason| is_start(reason))
        .map(|reason| reason.at);
    match since {
        Some(since) if waits && now.duration_since(since) > OVERDUE_AFTER => {
            let minutes = now.duration_since(since).as_mins();
            let seen = format!("it was started {since:.0}, and no sensor has taken it for {minutes} minutes");
            RunRecord {
                finding: Some(Finding::new(FindingCode::ScheduleOverdue, &seen)),
                ..run
            }
        }
        _ => run,
    }
}

fn is_start(reason: &RunReason) -> bool {
    matches!(reason.trigger, RunTrigger::Schedule | RunTrigger::Reconcile)
}
