//! How fresh things are.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::{Freshness, SensorFreshness};

/// How fresh what is known of a registry or repository is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Freshness)]
pub struct FreshnessView {
    /// `well` (the last look saw everything), `paused` (the same, and nothing starts the next), `changed` (no look has seen everything since the
    /// registry's address, patterns or tag filter were changed), `never_read`, `never_complete`, `incomplete` (the last look did not see
    /// everything, an earlier one did), `failing` (it saw nothing), `overdue` (a look should have begun, and has not), or `no_sensor` (nobody
    /// is left to look). A repository has its registry's state if that keeps it from being looked at, and may besides be `vanished`, or
    /// `left_out` by the registry's patterns.
    pub state: String,
    /// The same in words.
    pub words: String,
    /// When somebody last looked.
    pub last_attempt_at: Option<Timestamp>,
    /// When everything was last seen.
    pub last_success_at: Option<Timestamp>,
    /// When a push event last named it, or something in it: one that a sensor told later, when it came to the sensor.
    pub last_event_at: Option<Timestamp>,
    /// Seconds since everything was last seen, when this was answered; none if it never was, or, of a registry, not since it was changed what is to be seen of it. It does not count for the entity tag: an age that has grown is no
    /// change.
    pub age_seconds: Option<u64>,
    /// When the clock starts the next look.
    pub next_start_at: Option<Timestamp>,
}

impl From<Freshness> for FreshnessView {
    fn from(freshness: Freshness) -> Self {
        Self {
            state: freshness.state.to_string(),
            words: freshness.words,
            last_attempt_at: freshness.last_attempt_at,
            last_success_at: freshness.last_success_at,
            last_event_at: freshness.last_event_at,
            age_seconds: freshness.age_seconds,
            next_start_at: freshness.next_start_at,
        }
    }
}

/// How a sensor is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = SensorFreshness)]
pub struct SensorFreshnessView {
    /// `connected`, `working`, `not_progressing` (alive, and nothing of its work has moved for twenty minutes), `away`, `not_yet_connected`,
    /// `suspended`, `quarantined` or `revoked`.
    pub state: String,
    /// The same in words.
    pub words: String,
    /// Since when it is away, does not get on, waits for its first session, or is revoked.
    pub since: Option<Timestamp>,
    /// The run that does not get on.
    #[serde(default)]
    #[schema(format = "uuid")]
    pub run: Option<String>,
    /// The name of that run's registry.
    #[serde(default)]
    pub registry: Option<String>,
}

impl From<SensorFreshness> for SensorFreshnessView {
    fn from(freshness: SensorFreshness) -> Self {
        let (run, registry) = freshness.stuck.unzip();
        Self {
            state: freshness.state.as_str().to_owned(),
            words: freshness.words,
            since: freshness.since,
            run: run.map(|run| run.to_string()),
            registry: registry.map(|name| name.to_string()),
        }
    }
}
