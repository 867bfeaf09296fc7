//! Runs that nobody takes and runs that never end: both end as failed, with a finding.

use jiff::SignedDuration;
use portolan_shared::model::{Finding, FindingCode};
use portolan_store::{Lapse, LapsedRun, StoreError};

use crate::app::{App, CancelNotice};

/// For how long a run may wait to be taken by a sensor.
const WAITS: SignedDuration = SignedDuration::from_hours(48);
/// Runs that are ended in one look: further ones at the next, a second later.
const ENDED: u32 = 200;

impl App {
    /// Ends the runs that have lapsed.
    pub(super) async fn end_lapsed_runs(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let queued_before = now.saturating_sub(WAITS).unwrap_or(now);
        for lapsed in self.store.lapsed_runs(now, queued_before, ENDED).await? {
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
            let hours = WAITS.as_hours();
            Finding::new(
                FindingCode::RunNotTaken,
                &format!("no sensor of the registry took the run within {hours} hours"),
            )
        }
        Lapse::TooLong => Finding::new(
            FindingCode::RunTooLong,
            "the run was still under way when its time was up; what it had committed stays",
        ),
    }
}
