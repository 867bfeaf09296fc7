//! What is to be examined.

use std::time::Duration;

use portolan_shared::model::{Finding, RepositoryName, RepositoryPatterns, limits};

/// What is to be examined beside the way to the registry itself.
#[derive(Debug, Clone)]
pub struct Question {
    /// The repository whose tags, manifest and config are read; the first one that is found and has tags if none is named.
    pub repository: Option<RepositoryName>,
    /// What the registry's definition wants of it.
    pub patterns: RepositoryPatterns,
    /// What the local policy allows of it, beside that.
    pub allowed: RepositoryPatterns,
    /// What whoever asks knows of the local policy, beside the answers of the gate.
    pub policy: LocalPolicy,
    /// Time for everything: what has not been examined by then is skipped. At most [`limits::PROBE_SECONDS`].
    pub time: Duration,
}

/// What is known of the local policy.
#[derive(Debug, Clone, Default)]
pub struct LocalPolicy {
    /// For people: which file, which entry.
    pub seen: Vec<String>,
    /// What is wrong with it. An error ends the examination before anything is sent.
    pub finding: Option<Finding>,
}

impl Default for Question {
    fn default() -> Self {
        Self {
            repository: None,
            patterns: RepositoryPatterns::all(),
            allowed: RepositoryPatterns::all(),
            policy: LocalPolicy::default(),
            time: Duration::from_secs(limits::PROBE_SECONDS),
        }
    }
}
