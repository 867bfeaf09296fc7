//! Wishes for runs: who wants what, and what comes of it.

use jiff::Timestamp;
use portolan_shared::model::{RegistryId, RunId, RunTrigger, Scope, TenantId};
use serde::{Deserialize, Serialize};

/// A run to be queued.
#[derive(Debug, Clone)]
pub struct NewRun {
    /// Its id.
    pub id: RunId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Of which registry.
    pub registry: RegistryId,
    /// Why.
    pub trigger: RunTrigger,
    /// What of it.
    pub scope: Scope,
    /// Who asked: the name of an API token, or the part of the control plane that did.
    pub requested_by: String,
    /// Now.
    pub now: Timestamp,
}

/// What asked for a run: when it was queued, or when it was open already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunReason {
    /// Why.
    pub trigger: RunTrigger,
    /// Who asked.
    pub requested_by: String,
    /// When.
    pub at: Timestamp,
}

impl RunReason {
    /// Whether a person has asked, who sees that his run waits: nobody else has to tell him.
    #[must_use]
    pub fn is_a_persons(&self) -> bool {
        self.trigger == RunTrigger::Manual
    }
}

/// What came of the wish for a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueueOutcome {
    /// It is queued; [`RunRecord::behind`](crate::RunRecord::behind) says whether another has to end first.
    Queued,
    /// A run of the same registry and scope is open already, and will do; this is its id.
    Joined(RunId),
    /// There is no such registry.
    UnknownRegistry,
}
