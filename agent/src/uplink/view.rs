//! What the uplink shows of itself.

use jiff::Timestamp;
use portolan_shared::model::{AttemptRef, Reason, RunProgress};

/// Where the uplink stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Phase {
    /// No session; a connection is being made.
    #[default]
    Connecting,
    /// A session is open.
    Connected,
    /// No session; waits before it tries again.
    Waiting,
    /// Told to stop.
    Draining,
    /// Revoked by the control plane.
    Revoked,
}

impl Phase {
    /// One word for people and machines.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Connected => "connected",
            Self::Waiting => "waiting",
            Self::Draining => "draining",
            Self::Revoked => "revoked",
        }
    }
}

/// A job that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningView {
    /// Which attempt.
    pub attempt: AttemptRef,
    /// Host and port of the registry.
    pub registry: String,
    /// How far it is.
    pub progress: RunProgress,
}

/// The job that ended last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastWork {
    /// Which attempt.
    pub attempt: AttemptRef,
    /// Host and port of the registry.
    pub registry: String,
    /// When it ended.
    pub at: Timestamp,
    /// How, in a few words.
    pub end: String,
}

/// The control plane does not let this sensor in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedView {
    /// What it said.
    pub reason: Reason,
    /// Where that leaves the sensor, in a word or two.
    pub state: String,
    /// Since when.
    pub since: Timestamp,
    /// What to do about it.
    pub advice: String,
}

/// What the uplink shows of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UplinkView {
    /// Where it stands.
    pub phase: Phase,
    /// Host and port of the control plane.
    pub endpoint: String,
    /// The open session.
    pub epoch: Option<u64>,
    /// Since when it is open.
    pub since: Option<Timestamp>,
    /// Whether the control plane of the open session takes push events; none while there is no session.
    pub takes_events: Option<bool>,
    /// Why the last connection failed; none while all is well.
    pub last_failure: Option<String>,
    /// Why the control plane lets this sensor in no more; none while it does.
    pub refused: Option<RefusedView>,
    /// How far the control plane's clock is ahead of this machine's, in milliseconds.
    pub skew_ms: Option<i64>,
    /// When the certificate will be renewed.
    pub renewal_planned: Option<Timestamp>,
    /// Why the last renewal failed; none while all is well.
    pub renewal_failure: Option<String>,
    /// Jobs that run.
    pub running: Vec<RunningView>,
    /// The job that ended last.
    pub last_work: Option<LastWork>,
    /// Sessions opened since start.
    pub sessions: u64,
    /// Attempts to connect that failed since start.
    pub failures: u64,
    /// Certificates renewed since start.
    pub renewals: u64,
    /// Certificates recovered since start.
    pub recoveries: u64,
    /// Jobs ended since start.
    pub jobs: u64,
}
