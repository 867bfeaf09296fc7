//! All that operators say about when a registry is read.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use super::blackout::Blackout;
use super::error::{TimetableError, shown};
use super::when::When;
use super::zone::ZoneName;

/// When a registry is read. By default never by itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Schedule {
    /// When runs start.
    pub when: When,
    /// Where the clock hangs that `when` and `blackouts` are read from.
    pub zone: ZoneName,
    /// By how much starts are put off at random, at most, so that a fleet does not start at once; at most
    /// [`SCHEDULE_JITTER_SECONDS`](portolan_shared::model::limits::SCHEDULE_JITTER_SECONDS). None: what suits `when`.
    pub jitter_seconds: Option<u32>,
    /// Windows in which nothing starts but what people start; at most [`BLACKOUTS`](portolan_shared::model::limits::BLACKOUTS).
    pub blackouts: Vec<Blackout>,
    /// How long a run may take from when it is first leased, at most [`RUN_SECONDS_MOST`](portolan_shared::model::limits::RUN_SECONDS_MOST). None: a day.
    pub max_run_seconds: Option<NonZeroU32>,
    /// What becomes of a start that could not be at its time.
    pub missed: MissedStart,
    /// Whether nothing starts but what people start.
    pub paused: bool,
}

impl Schedule {
    /// Whether runs start by themselves at times; not so if it is paused.
    #[must_use]
    pub fn has_starts(&self) -> bool {
        !self.paused && self.when != When::Manual
    }
}

/// What becomes of a start that could not be at its time: nothing ran that could have started it, or it fell into a blackout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum MissedStart {
    /// One run as soon as possible, however many starts were missed.
    #[default]
    RunOnce,
    /// Nothing: the next start is waited for.
    Skip,
}

impl MissedStart {
    /// The word used in storage, URLs, logs and on screens.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RunOnce => "run_once",
            Self::Skip => "skip",
        }
    }
}

impl FromStr for MissedStart {
    type Err = TimetableError;

    /// `run-once` as well.
    fn from_str(text: &str) -> Result<Self, TimetableError> {
        match text {
            "run_once" | "run-once" => Ok(Self::RunOnce),
            "skip" => Ok(Self::Skip),
            _ => Err(TimetableError::Missed(shown(text))),
        }
    }
}

impl fmt::Display for MissedStart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
