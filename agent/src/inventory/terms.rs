//! What this machine's administrator says of a walk, whoever ordered it.

use portolan_shared::model::manifest::FactsField;
use portolan_shared::model::{Finding, FindingCode, RepositoryName, RepositoryPatterns};

/// What a walk may do at most. There is no default: what nobody has said is not allowed.
#[derive(Debug, Clone)]
pub struct Terms {
    /// Which repositories may be read, and by which rule. Others are reported as refused.
    pub repositories: RepositoryPatterns,
    /// The rule that says so.
    pub rule: String,
    /// Image facts that are not sent.
    pub withheld: Vec<FactsField>,
}

impl Terms {
    /// Everything.
    #[cfg(test)]
    pub(super) fn unbounded() -> Self {
        Self {
            repositories: RepositoryPatterns::all(),
            rule: "policy:allow[1]".to_owned(),
            withheld: Vec::new(),
        }
    }

    /// Why a repository is not read, if it is not.
    pub(super) fn refusal(&self, repository: &RepositoryName) -> Option<Finding> {
        (!self.repositories.matches(repository)).then(|| {
            let seen = format!("{}: the entry's repositories leave out {repository}", self.rule);
            Finding::new(FindingCode::PolicyRefused, &seen)
        })
    }
}
