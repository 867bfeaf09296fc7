//! What the status looks like.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::{Concern, Status, Subject, Tally};

/// One thing that needs attention.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AttentionItem {
    /// `error`, `warning` or `info`.
    pub severity: String,
    /// Why it has its place: `blind` (nothing new is seen of something), `partial` (not all is seen), `risk` (soon not all may be seen), or
    /// `advice`.
    pub rank: String,
    /// Stable; tells programs what it is.
    #[schema(example = "schedule.overdue")]
    pub code: String,
    /// What it is about.
    #[schema(example = "registry gitlab")]
    pub about: String,
    /// What was seen.
    pub words: String,
    /// What to do.
    pub what_to_do: String,
    /// The command that shows more of it, or cures it.
    #[schema(example = "portolan registry show gitlab")]
    pub command: String,
}

impl From<(Subject, Concern)> for AttentionItem {
    fn from((subject, concern): (Subject, Concern)) -> Self {
        Self {
            severity: concern.rank.severity().to_string(),
            rank: concern.rank.as_str().to_owned(),
            code: concern.finding.code.to_string(),
            what_to_do: concern.cure,
            about: subject.to_string(),
            words: concern.finding.seen,
            command: concern.command,
        }
    }
}

/// How many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StatusTally {
    /// All.
    pub total: u64,
    /// Those of which there is nothing to be said, or only advice to be given.
    pub well: u64,
    /// The others.
    pub attention: u64,
}

impl From<Tally> for StatusTally {
    fn from(tally: Tally) -> Self {
        Self {
            total: tally.total,
            well: tally.total.saturating_sub(tally.attention),
            attention: tally.attention,
        }
    }
}

/// Whether everything of the tenant is well, and what is to be done first if not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Status)]
pub struct StatusView {
    /// Whether nothing needs attention; advice does not count.
    pub well: bool,
    /// What needs attention, the most important first, at most 50; advice comes last.
    pub attention: Vec<AttentionItem>,
    /// How much more there is to be said.
    pub more: u64,
    /// Registries.
    pub registries: StatusTally,
    /// Registries that were never seen as a whole, or not since their address, patterns or tag filter were changed.
    pub never_complete: u64,
    /// Sensors, without those that were revoked.
    pub sensors: StatusTally,
    /// Webhooks.
    pub webhooks: StatusTally,
    /// Of all other registries, the longest time since they were seen as a whole, in seconds.
    pub oldest_success_age_seconds: Option<u64>,
}

impl From<Status> for StatusView {
    fn from(status: Status) -> Self {
        Self {
            well: status.is_well(),
            oldest_success_age_seconds: status.oldest_success_age_seconds(),
            attention: status.attention.into_iter().map(AttentionItem::from).collect(),
            more: status.more,
            registries: status.registries.into(),
            never_complete: status.never_complete,
            sensors: status.sensors.into(),
            webhooks: status.webhooks.into(),
        }
    }
}
