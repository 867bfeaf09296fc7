//! One sync of one registry, and its attempts.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::ids::RunId;
use super::names::{NameError, RepositoryName, TagName};
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
        /// Push events named what it reads.
        Event = "event",
        /// Its time had come.
        Schedule = "schedule",
        /// Of a registry that is read on push: to find what no event had announced.
        Reconcile = "reconcile",
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

/// One tag of one repository.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TagReference {
    /// The repository.
    pub repository: RepositoryName,
    /// The tag in it.
    pub tag: TagName,
}

/// What of a registry a run reads: all that its patterns allow if both lists are empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scope {
    /// These repositories, whole.
    pub repositories: Vec<RepositoryName>,
    /// These tags, of repositories that are not among the former.
    pub references: Vec<TagReference>,
}

impl Scope {
    /// Whether it is the whole registry.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.repositories.is_empty() && self.references.is_empty()
    }

    /// The one form that scopes with the same meaning have: sorted, each item once, no tag of a repository that is read whole.
    #[must_use]
    pub fn normal(mut self) -> Self {
        self.repositories.sort();
        self.repositories.dedup();
        self.references.sort();
        self.references.dedup();
        let whole = &self.repositories;
        self.references
            .retain(|reference| whole.binary_search(&reference.repository).is_err());
        self
    }

    /// A line for each item: `REPOSITORY`, then `REPOSITORY:TAG`. A repository with a colon in its name, which no specification allows and some
    /// servers list, has a slash behind it.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let repositories = self.repositories.iter().map(|repository| {
            let odd = repository.as_str().contains(':');
            format!("{repository}{}", if odd { "/" } else { "" })
        });
        let references = self.references.iter().map(ToString::to_string);
        repositories.chain(references).collect()
    }

    /// Reads [`lines`](Self::lines).
    ///
    /// # Errors
    /// Names the first line that is neither a repository nor a tag of one.
    pub fn of_lines<S: AsRef<str>>(lines: &[S]) -> Result<Self, String> {
        let mut scope = Self::default();
        for line in lines {
            let line = line.as_ref();
            let wrong = |error: NameError| format!("{line:?}: {error}");
            // No name ends in a slash, and no tag holds a colon.
            match (line.strip_suffix('/'), line.rsplit_once(':')) {
                (None, Some((repository, tag))) => scope.references.push(TagReference {
                    repository: repository.parse().map_err(wrong)?,
                    tag: tag.parse().map_err(wrong)?,
                }),
                (whole, _) => scope
                    .repositories
                    .push(whole.unwrap_or(line).parse().map_err(wrong)?),
            }
        }
        Ok(scope)
    }
}

impl fmt::Display for TagReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.repository, self.tag)
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(lines: &[&str]) -> Scope {
        Scope::of_lines(lines).unwrap()
    }

    #[test]
    fn scopes_of_one_meaning_have_one_form() {
        let given = scope(&["b", "a:1", "c:2", "a:1", "b:3", "b", "a:0"]).normal();
        assert_eq!(given.lines(), ["b", "a:0", "a:1", "c:2"]);
        assert_eq!(scope(&["b", "a:0", "a:1", "c:2"]), given);
        assert!(!given.is_whole() && scope(&[]).is_whole());
    }

    #[test]
    fn names_with_colons_are_told_from_tags() {
        let odd = scope(&["a:b/", "a:b:c", "d"]);
        assert_eq!(odd.repositories, ["a:b".parse().unwrap(), "d".parse().unwrap()]);
        assert_eq!(
            (
                odd.references[0].repository.as_str(),
                odd.references[0].tag.as_str()
            ),
            ("a:b", "c")
        );
        assert_eq!(odd.lines(), ["a:b/", "d", "a:b:c"]);
    }

    #[test]
    fn what_is_no_line_is_named() {
        for line in ["", "a b", "a:", "a:b:-", ":t", "/"] {
            let said = Scope::of_lines(&["good", line]).unwrap_err();
            assert!(said.starts_with(&format!("{line:?}: ")), "{said}");
        }
    }
}
