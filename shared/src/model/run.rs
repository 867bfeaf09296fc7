//! One sync of one registry, and its attempts.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::ids::RunId;
use super::names::RepositoryName;
use super::words::words;

words! {
    /// Where a run is in its life.
    RunState {
        /// Waits for a sensor.
        Queued = "queued",
        /// One attempt of it is leased to a sensor.
        Leased = "leased",
        /// Everything in scope was listed and committed.
        Complete = "complete",
        /// Something in scope could not be seen; the coverage says what and why.
        Partial = "partial",
        /// Nothing useful came of it, or it failed too often.
        Failed = "failed",
        /// A person stopped it.
        Cancelled = "cancelled",
    }
}

impl RunState {
    /// Whether the run has ended.
    #[must_use]
    pub fn is_ended(self) -> bool {
        match self {
            Self::Queued | Self::Leased => false,
            Self::Complete | Self::Partial | Self::Failed | Self::Cancelled => true,
        }
    }
}

words! {
    /// Why a run was started.
    RunTrigger {
        /// A person asked for it.
        Manual = "manual",
    }
}

/// Names one attempt of a run. Together with the session's epoch it fences every effect of a sensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AttemptRef {
    /// The run.
    pub run: RunId,
    /// Number of the attempt, from 1.
    pub attempt: u32,
}

impl fmt::Display for AttemptRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.run, self.attempt)
    }
}

/// What of a registry a run reads.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Scope {
    /// Only these repositories; all that the registry's patterns allow if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repositories: Vec<RepositoryName>,
}

/// How far an attempt is. Totals grow while discovery is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RunProgress {
    /// Repositories found so far.
    pub repositories_total: u64,
    /// Repositories done, whatever came of them.
    pub repositories_done: u64,
    /// Tags resolved so far.
    pub tags: u64,
    /// Manifests fetched from the registry so far.
    pub manifests: u64,
    /// Requests sent to the registry so far.
    pub requests: u64,
    /// Bytes of upload messages sent to the control plane so far.
    pub bytes_up: u64,
    /// Whether all repositories have been found.
    pub discovered: bool,
}
