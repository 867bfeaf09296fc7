//! States of freshness, and their words.

use std::fmt;

use jiff::Timestamp;
use portolan_shared::model::{RegistryName, RunId};

/// How fresh a registry, or a repository of it, is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FreshnessState {
    /// The last look at it saw everything.
    Well,
    /// The same, and nothing starts the next one but people.
    Paused,
    /// No look has seen everything since what is to be seen was changed.
    Changed,
    /// Nothing has looked at it yet.
    NeverRead,
    /// Looks at it have never seen everything.
    NeverComplete,
    /// The last look did not see everything, as an earlier one did.
    Incomplete,
    /// The last look saw nothing.
    Failing,
    /// A look that should have begun has not.
    Overdue,
    /// There is nobody left to look.
    NoSensor,
    /// The registry's patterns leave it out: nothing looks at it any more.
    LeftOut,
    /// It is gone.
    Vanished,
}

impl FreshnessState {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Well => "well",
            Self::Paused => "paused",
            Self::Changed => "changed",
            Self::NeverRead => "never_read",
            Self::NeverComplete => "never_complete",
            Self::Incomplete => "incomplete",
            Self::Failing => "failing",
            Self::Overdue => "overdue",
            Self::NoSensor => "no_sensor",
            Self::LeftOut => "left_out",
            Self::Vanished => "vanished",
        }
    }
}

impl fmt::Display for FreshnessState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How fresh something is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Freshness {
    /// The state.
    pub state: FreshnessState,
    /// The same in words. They name no ages, so that they stay the same while nothing changes.
    pub words: String,
    /// When somebody last looked.
    pub last_attempt_at: Option<Timestamp>,
    /// When everything was last seen.
    pub last_success_at: Option<Timestamp>,
    /// When a push event last named it, or something in it.
    pub last_event_at: Option<Timestamp>,
    /// Seconds since everything was last seen; none if it never was, or, of a registry, not since it was changed what everything is.
    pub age_seconds: Option<u64>,
    /// When the clock starts the next look.
    pub next_start_at: Option<Timestamp>,
}

/// What a sensor is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SensorProgress {
    /// Connected, and at work on nothing.
    Connected,
    /// At work on a run that gets on.
    Working,
    /// Alive, and at work on a run that does not get on.
    NotProgressing,
    /// Not heard of lately.
    Away,
    /// Enrolled, and never heard of.
    NotYetConnected,
    /// Shut out by a person.
    Suspended,
    /// Shut out because it may exist twice.
    Quarantined,
    /// Shut out for good.
    Revoked,
}

impl SensorProgress {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Working => "working",
            Self::NotProgressing => "not_progressing",
            Self::Away => "away",
            Self::NotYetConnected => "not_yet_connected",
            Self::Suspended => "suspended",
            Self::Quarantined => "quarantined",
            Self::Revoked => "revoked",
        }
    }

    /// Whether it can take work.
    #[must_use]
    pub fn is_connected(self) -> bool {
        matches!(self, Self::Connected | Self::Working | Self::NotProgressing)
    }
}

/// How a sensor is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SensorFreshness {
    /// The state.
    pub state: SensorProgress,
    /// The same in words.
    pub words: String,
    /// Since when it is away, or does not get on.
    pub since: Option<Timestamp>,
    /// The run that does not get on, and of which registry it is.
    pub stuck: Option<(RunId, RegistryName)>,
}

/// Whole seconds from a time to now; nought if it is later than now.
pub(super) fn age(time: Timestamp, now: Timestamp) -> u64 {
    let seconds = now.as_second().saturating_sub(time.as_second());
    u64::try_from(seconds).unwrap_or(0)
}
