//! What is recorded.

use serde_json::{Value, json};

/// How it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Well, or simply so.
    Ok,
    /// Something was not allowed.
    Refused,
    /// It did not work.
    Failed,
}

impl Outcome {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

/// Something to be recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Who wanted it: `agent`, `administrator` or `control-plane`.
    pub actor: &'static str,
    /// What was done: `job.begin`, `policy.refused`, ...
    pub action: &'static str,
    /// To what.
    pub object: String,
    /// How it went.
    pub outcome: Outcome,
    /// Further facts. Never a secret, nor anything that a registry or the control plane could make unboundedly long.
    pub details: Value,
}

/// Actions that are read again.
pub(super) mod action {
    pub(in crate::audit) const BEGIN: &str = "log.begin";
    pub(in crate::audit) const ROTATED: &str = "log.rotated";
    pub(in crate::audit) const DAMAGED: &str = "log.damaged";
    pub(in crate::audit) const OLDER_MISSING: &str = "log.older_missing";
    pub(in crate::audit) const CHECKPOINT: &str = "log.checkpoint";
    pub(in crate::audit) const HOSTS: &str = "hosts.contacted";
    pub(in crate::audit) const SENT: &str = "data.sent";
}

impl Entry {
    /// Something that the agent does by itself.
    #[must_use]
    pub fn by_agent(action: &'static str, object: impl Into<String>, details: Value) -> Self {
        Self {
            actor: "agent",
            action,
            object: object.into(),
            outcome: Outcome::Ok,
            details,
        }
    }

    /// Something that the control plane asked for.
    #[must_use]
    pub fn by_control_plane(action: &'static str, object: impl Into<String>, details: Value) -> Self {
        Self {
            actor: "control-plane",
            ..Self::by_agent(action, object, details)
        }
    }

    /// The same, with this outcome.
    #[must_use]
    pub fn with(self, outcome: Outcome) -> Self {
        Self { outcome, ..self }
    }

    /// The policy file was read, and this is in force.
    #[must_use]
    pub fn policy(action: &'static str, file: &str, sha256: &str, fault: Option<&str>) -> Self {
        let outcome = if fault.is_none() {
            Outcome::Ok
        } else {
            Outcome::Failed
        };
        Self {
            actor: "administrator",
            ..Self::by_agent(action, file, json!({"sha256": sha256, "fault": fault})).with(outcome)
        }
    }
}
