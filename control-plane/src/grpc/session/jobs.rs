//! The attempts of one session.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use portolan_shared::model::{AttemptRef, RunProgress};
use portolan_shared::process::Uptime;

use super::step::Action;

/// Time to accept an offer.
pub(super) const ACCEPT_WITHIN: Duration = Duration::from_secs(10);
/// How often the progress of one attempt is written at most. In between, the latest wins.
pub(super) const PROGRESS_EVERY: Duration = Duration::from_secs(1);

/// Attempts that were offered or run.
#[derive(Debug, Default)]
pub(super) struct Jobs {
    all: BTreeMap<AttemptRef, Job>,
    /// Those of them that have slots of their own. Of what was carried over from another session it is not known.
    looks: BTreeSet<AttemptRef>,
}

#[derive(Debug)]
enum Job {
    Offered {
        until: Uptime,
        /// It was told to stop before it was taken up.
        told: bool,
    },
    Running {
        written: Option<Uptime>,
        waiting: Option<RunProgress>,
    },
    /// It ran and was told to stop; it has its slot until it has.
    Stopping,
}

impl Job {
    const RUNNING: Self = Self::Running {
        written: None,
        waiting: None,
    };

    fn is_running(&self) -> bool {
        matches!(self, Self::Running { .. } | Self::Stopping)
    }
}

impl Jobs {
    /// These run.
    pub(super) fn running(attempts: &[AttemptRef]) -> Self {
        Self {
            all: attempts.iter().map(|attempt| (*attempt, Job::RUNNING)).collect(),
            looks: BTreeSet::new(),
        }
    }

    /// How many there are with slots of their own, or without.
    pub(super) fn count(&self, looks: bool) -> u32 {
        let of_kind = |attempt: &&AttemptRef| self.looks.contains(attempt) == looks;
        u32::try_from(self.all.keys().filter(of_kind).count()).unwrap_or(u32::MAX)
    }

    /// Those that were offered or run, and have not been told to stop.
    pub(super) fn held(&self) -> Vec<AttemptRef> {
        let goes_on = |job: &Job| !matches!(job, Job::Stopping | Job::Offered { told: true, .. });
        let held = self.all.iter().filter(|(_, job)| goes_on(job));
        held.map(|(attempt, _)| *attempt).collect()
    }

    /// It must stop; `false` if it is not here, or was told before.
    pub(super) fn stop(&mut self, attempt: AttemptRef) -> bool {
        match self.all.get_mut(&attempt) {
            None | Some(Job::Stopping) => false,
            // It still goes back if nobody takes it up, whatever it is worth by then.
            Some(Job::Offered { told, .. }) => !std::mem::replace(told, true),
            Some(job @ Job::Running { .. }) => {
                *job = Job::Stopping;
                true
            }
        }
    }

    /// Offers one.
    pub(super) fn offer(&mut self, attempt: AttemptRef, look: bool, now: Uptime) {
        let until = later(now, ACCEPT_WITHIN);
        let all = &self.all;
        self.looks.retain(|attempt| all.contains_key(attempt));
        if look {
            self.looks.insert(attempt);
        }
        self.all.insert(attempt, Job::Offered { until, told: false });
    }

    /// It runs now; `false` if it was not offered, or too long ago.
    pub(super) fn accept(&mut self, attempt: AttemptRef) -> bool {
        self.all.get_mut(&attempt).is_some_and(|job| {
            if !job.is_running() {
                // Even if it was told to stop: the word may have come before the job, and so went unheard. It is told again.
                *job = Job::RUNNING;
            }
            true
        })
    }

    /// It is over; `false` if it was not here.
    pub(super) fn remove(&mut self, attempt: AttemptRef) -> bool {
        self.all.remove(&attempt).is_some()
    }

    /// Takes the sensor's list of what runs: what is not in it any more has ended there, one way or another. Gives those whose leases
    /// are to be prolonged.
    pub(super) fn listed(&mut self, running: &[AttemptRef]) -> Vec<AttemptRef> {
        self.all
            .retain(|attempt, job| !job.is_running() || running.contains(attempt));
        let mut ours = running.to_vec();
        ours.sort_unstable();
        ours.dedup();
        ours.retain(|attempt| self.accept(*attempt));
        ours
    }

    /// Takes how far an attempt is; gives what is to be written now.
    pub(super) fn progress(
        &mut self,
        attempt: AttemptRef,
        progress: RunProgress,
        now: Uptime,
    ) -> Option<Action> {
        match self.all.get_mut(&attempt)? {
            Job::Running { written, waiting } => {
                if written.is_some_and(|written| now < later(written, PROGRESS_EVERY)) {
                    *waiting = Some(progress);
                    return None;
                }
                (*written, *waiting) = (Some(now), None);
                Some(Action::Progress(attempt, progress))
            }
            Job::Offered { .. } | Job::Stopping => None,
        }
    }

    /// When the next of them is due, if any is.
    pub(super) fn due(&self) -> Option<Uptime> {
        let due = |job: &Job| match job {
            Job::Offered { until, .. } => Some(*until),
            Job::Running {
                written: Some(written),
                waiting: Some(_),
            } => Some(later(*written, PROGRESS_EVERY)),
            Job::Running { .. } | Job::Stopping => None,
        };
        self.all.values().filter_map(due).min()
    }

    /// Puts back what was not accepted in time, and writes progress that waited.
    pub(super) fn tick(&mut self, now: Uptime) -> Vec<Action> {
        let mut actions = Vec::new();
        self.all.retain(|attempt, job| match job {
            Job::Offered { until, .. } => {
                let keep = now < *until;
                if !keep {
                    actions.push(Action::Return(*attempt));
                }
                keep
            }
            Job::Running { written, waiting } => {
                let free = written.is_none_or(|written| now >= later(written, PROGRESS_EVERY));
                if let Some(progress) = waiting.take_if(|_| free) {
                    *written = Some(now);
                    actions.push(Action::Progress(*attempt, progress));
                }
                true
            }
            Job::Stopping => true,
        });
        actions
    }

    /// The session is over: puts back what nobody took up, and writes what waited. What runs keeps its lease; the sensor may come back.
    pub(super) fn abandon(self) -> Vec<Action> {
        self.all
            .into_iter()
            .filter_map(|(attempt, job)| match job {
                Job::Offered { .. } => Some(Action::Return(attempt)),
                Job::Running { waiting, .. } => waiting.map(|progress| Action::Progress(attempt, progress)),
                Job::Stopping => None,
            })
            .collect()
    }
}

/// A time after another.
pub(super) fn later(at: Uptime, by: Duration) -> Uptime {
    Uptime(at.0.saturating_add(by))
}
