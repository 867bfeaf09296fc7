//! What happens when the database does not say who is shut out. First it is told of, then nothing is granted, and in the end nobody stays:
//! a sensor that was shut out meanwhile could be among them.

use std::sync::Arc;
use std::time::Duration;

use portolan_shared::model::Reason;
use portolan_shared::process::Shutdown;

use super::{Denials, Meters, Sessions};

/// Age of the last answer above which operators are told.
pub(super) const LATE_AFTER: Duration = Duration::from_secs(2);
/// Age above which nothing is granted.
pub(super) const STALE_AFTER: Duration = Duration::from_secs(5);
/// Age above which no session goes on, and the process is not ready.
pub(super) const BLIND_AFTER: Duration = Duration::from_secs(30);
/// How often the age is looked at. Longer than an answer takes, so that a process that was asleep has asked by the second look.
const LOOK: Duration = Duration::from_millis(500);

/// What follows from how old the list of sensors that are shut out is; the worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) enum Staleness {
    /// Nothing.
    #[default]
    Fresh,
    /// It is told of.
    Late,
    /// Nothing is granted: no sessions, no work, no certificates, no credentials. What is open goes on.
    Stale,
    /// Nothing goes on.
    Blind,
}

impl Staleness {
    pub(super) fn of(age: Duration) -> Self {
        if age > BLIND_AFTER {
            Self::Blind
        } else if age > STALE_AFTER {
            Self::Stale
        } else if age > LATE_AFTER {
            Self::Late
        } else {
            Self::Fresh
        }
    }
}

/// Looks at the age of the list again and again.
#[derive(Debug, Default)]
pub struct Watch {
    last: Staleness,
}

impl Watch {
    /// Looks until everything is cut.
    pub async fn keep(
        mut self,
        denials: Arc<Denials>,
        sessions: Arc<Sessions>,
        meters: Arc<Meters>,
        shutdown: Shutdown,
    ) {
        loop {
            tokio::select! {
                () = shutdown.cutting() => return,
                () = tokio::time::sleep(LOOK) => {}
            }
            self.look(&denials, &sessions, &meters);
        }
    }

    /// Tells of the age, and ends all sessions if it was too high at the look before as well: whoever slept has to ask first.
    pub(super) fn look(&mut self, denials: &Denials, sessions: &Sessions, meters: &Meters) -> Staleness {
        let age = denials.age().unwrap_or_default().as_secs_f64();
        meters.denials_age_seconds.set(age);
        let now = denials.staleness();
        if now != self.last {
            tell(now, age);
        }
        let blind = now == Staleness::Blind && self.last == Staleness::Blind;
        denials.set_blind(blind);
        if blind {
            for session in sessions.all() {
                session.end(Reason::Overloaded);
            }
        }
        self.last = now;
        now
    }
}

fn tell(staleness: Staleness, age: f64) {
    match staleness {
        Staleness::Fresh => tracing::info!("the database says again who is shut out"),
        Staleness::Late => tracing::warn!(age, "the database does not say who is shut out"),
        Staleness::Stale => tracing::error!(
            age,
            "the database does not say who is shut out: sensors get no sessions, work, certificates or credentials"
        ),
        Staleness::Blind => tracing::error!(
            age,
            "the database does not say who is shut out: all sessions of sensors end, and the process is not ready"
        ),
    }
}
