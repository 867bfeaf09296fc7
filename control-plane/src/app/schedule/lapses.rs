//! Runs that nobody takes and runs that never end: both end as failed, with a finding.

use std::time::Duration;

use jiff::SignedDuration;
use portolan_shared::model::limits::{RUN_NOT_TAKEN_SECONDS, RUN_WAITS_SECONDS};
use portolan_shared::model::{Finding, FindingCode};
use portolan_store::{Lapse, LapsedRun, StoreError, WaitsSince};

use crate::app::{App, CancelNotice};

/// For how long no run is ended after the start, or after a leap of the clock: sensors that could not come while this process, or the machine, was not
/// there come meanwhile, and a clock that is wrong for a moment ends nothing.
pub(super) const MERCY: Duration = Duration::from_mins(5);
/// Runs that are ended in one look: further ones at the next, a second later.
const ENDED: u32 = 200;

impl App {
    /// Ends the runs that have lapsed.
    pub(super) async fn end_lapsed_runs(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let before = |seconds: u32| {
            let waits = SignedDuration::from_secs(i64::from(seconds));
            now.saturating_sub(waits).unwrap_or(now)
        };
        let waits = WaitsSince {
            for_a_sensor: before(RUN_NOT_TAKEN_SECONDS),
            for_anything: before(RUN_WAITS_SECONDS),
        };
        for lapsed in self.store.lapsed_runs(now, waits, ENDED).await? {
            let finding = finding(&lapsed);
            if !self.store.end_lapsed(&lapsed, &finding, now).await? {
                continue;
            }
            tracing::warn!(run = %lapsed.run, registry = %lapsed.registry, code = %finding.code, "a run has lapsed");
            if let Some((sensor, attempt)) = lapsed.held {
                // Without a receiver nobody is connected here; the timer of the replica that has the sensor will see it.
                let _ = self.signals.cancels.send(CancelNotice { sensor, attempt });
            }
        }
        Ok(())
    }
}

fn finding(lapsed: &LapsedRun) -> Finding {
    match lapsed.lapse {
        Lapse::NotTaken => {
            let hours = RUN_NOT_TAKEN_SECONDS / 3_600;
            let since = if lapsed.asked_at.is_some() {
                " after a person had last asked for it"
            } else {
                ""
            };
            Finding::new(
                FindingCode::RunNotTaken,
                &format!("no sensor of the registry took the run within {hours} hours{since}"),
            )
        }
        Lapse::WaitedTooLong => {
            let days = RUN_WAITS_SECONDS / 86_400;
            Finding::new(
                FindingCode::RunNotTaken,
                &format!(
                    "no sensor of the registry could begin the run, or go on with it, within {days} days, whatever it waited for"
                ),
            )
        }
        Lapse::TooLong => Finding::new(
            FindingCode::RunTooLong,
            "the run was still under way when its time was up; what it had committed stays",
        ),
    }
}
