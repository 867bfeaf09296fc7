//! What a run saw, and what it could not see.

use serde::{Deserialize, Serialize};

use super::finding::Finding;
use super::names::RepositoryName;
use super::words::words;

words! {
    /// How repositories were found.
    DiscoveryMethod {
        /// `GET /v2/_catalog`.
        Catalog = "catalog",
        /// The names given by the operator.
        Explicit = "explicit",
        /// GitLab: the projects that the credential's owner is a member of, and the repositories of each.
        GitLabProjects = "gitlab.projects",
        /// GitLab: groups that the operator's patterns name, and the repositories of each.
        GitLabGroups = "gitlab.groups",
        /// GitLab: what the token says of itself it can reach; gives only the repositories at the roots of projects.
        GitLabAssociations = "gitlab.associations",
        /// Harbor: `/api/v2.0/projects` and the repositories of each.
        HarborProjects = "harbor.projects",
        /// Zot: the search extension.
        ZotSearch = "zot.search",
        /// Quay: `/api/v1/repository`, by namespace.
        QuayRepositories = "quay.repositories",
        /// Docker Hub: the repositories of a namespace.
        HubRepositories = "hub.repositories",
        /// Gitea and Forgejo: the container packages of an owner.
        GiteaPackages = "gitea.packages",
        /// Nexus: the components of every Docker repository.
        NexusComponents = "nexus.components",
        /// Artifactory: every Docker repository of the instance, and the catalog of each.
        ArtifactoryRepositories = "artifactory.repositories",
        /// Google: the children that tag lists name.
        GoogleChildren = "google.children",
    }
}

/// One method of discovery that was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiscoveryStep {
    /// Which.
    pub method: DiscoveryMethod,
    /// Repositories it gave that no step before it had given, before the registry's patterns.
    pub found: u64,
    /// Whether it gave all it has, to its end.
    pub complete: bool,
    /// Why the method failed, stopped early, or is known not to show everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finding: Option<Finding>,
}

words! {
    /// How the tags of repositories were listed.
    ListingMethod {
        /// `GET /v2/NAME/tags/list`, and HEAD for each tag.
        TagsList = "tags_list",
        /// GitLab with the metadata database: `/gitlab/v1/repositories/PATH/tags/list/`.
        GitLabV1 = "gitlab.v1",
        /// GitLab's REST API: names alone, where the registry's own lists fail; HEAD for each tag as with [`ListingMethod::TagsList`].
        GitLabRest = "gitlab.rest",
        /// Harbor: the artifacts of a repository.
        HarborArtifacts = "harbor.artifacts",
        /// Zot: the search extension.
        ZotSearch = "zot.search",
        /// Quay: `/api/v1/repository/NAME/tag/`.
        QuayTags = "quay.tags",
        /// Docker Hub: the tags of a repository.
        HubTags = "hub.tags",
        /// Nexus: the components of a repository.
        NexusComponents = "nexus.components",
        /// Artifactory: its query language.
        ArtifactoryAql = "artifactory.aql",
        /// Google: members of `tags/list` that other registries do not have.
        GoogleTagsList = "google.tags_list",
    }
}

/// What one method of listing tags did in a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListingStep {
    /// Which.
    pub method: ListingMethod,
    /// Repositories that it listed to their end.
    pub repositories: u64,
    /// Repositories for which it failed, so that the next method was used.
    pub given_up: u64,
    /// Why it failed the first time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finding: Option<Finding>,
}

words! {
    /// What came of one repository in a run.
    RepositoryOutcome {
        /// Listed to its end and committed.
        Listed = "listed",
        /// Listed to its end; nothing had changed since it was last committed.
        Unchanged = "unchanged",
        /// Committed, but some of its content could not be read.
        Incomplete = "incomplete",
        /// Not all of its tags could be resolved, or kept. Those that were are committed; none counts as vanished.
        Truncated = "truncated",
        /// The registry refused this credential.
        Denied = "denied",
        /// The registry does not know it, or hides it from this credential.
        Missing = "missing",
        /// Could not be listed.
        Failed = "failed",
        /// The sensor's local policy refused it.
        Refused = "refused",
        /// Found, and left out by the registry's patterns: nothing more was asked about it. It is not in scope, so it makes no run less
        /// complete, and what is known of it from before stays as it was. A run names the first
        /// [`FILTERED_NAMED`](super::limits::FILTERED_NAMED) of them.
        Filtered = "filtered",
    }
}

impl RepositoryOutcome {
    /// Whether the repository was seen to its end with all of its content. Of one that was left out nothing was seen, although it is not
    /// [short of complete](Coverage::short_of_complete) either.
    #[must_use]
    pub fn is_complete(self) -> bool {
        match self {
            Self::Listed | Self::Unchanged => true,
            Self::Incomplete
            | Self::Truncated
            | Self::Denied
            | Self::Missing
            | Self::Failed
            | Self::Refused
            | Self::Filtered => false,
        }
    }
}

/// One line of a run's coverage: what came of a repository, and one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CoverageEntry {
    /// Which repository.
    pub repository: RepositoryName,
    /// What came of it.
    pub outcome: RepositoryOutcome,
    /// Why, unless all was well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finding: Option<Finding>,
}

/// The account of a run as a whole. Repositories that were not complete have a [`CoverageEntry`] each, and so have the first of those that
/// were left out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Coverage {
    /// Every method of discovery that was tried, in order.
    pub discovery: Vec<DiscoveryStep>,
    /// Every method of listing tags that was used, in order of preference.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub listings: Vec<ListingStep>,
    /// Whether all repositories that this credential can see are known to have been listed: only then can one that is
    /// no longer listed be recorded as deleted.
    pub discovery_complete: bool,
    /// Repositories found by discovery.
    pub found: u64,
    /// Of these, left out by the registry's patterns.
    pub filtered: u64,
    /// Of those left out, how many have a [`CoverageEntry`].
    #[serde(default)]
    pub filtered_named: u64,
    /// Of the rest, by outcome.
    pub listed: u64,
    /// See [`RepositoryOutcome::Unchanged`].
    pub unchanged: u64,
    /// See [`RepositoryOutcome::Incomplete`].
    pub incomplete: u64,
    /// See [`RepositoryOutcome::Truncated`].
    pub truncated: u64,
    /// See [`RepositoryOutcome::Denied`].
    pub denied: u64,
    /// See [`RepositoryOutcome::Missing`].
    pub missing: u64,
    /// See [`RepositoryOutcome::Failed`].
    pub failed: u64,
    /// See [`RepositoryOutcome::Refused`].
    pub refused: u64,
    /// Tags observed.
    pub tags: u64,
    /// Tags that exist and were left out by the registry's tag filter.
    #[serde(default)]
    pub tags_filtered: u64,
}

impl Coverage {
    /// Counts so many more repositories that have this outcome by name.
    pub fn count(&mut self, outcome: RepositoryOutcome, repositories: u64) {
        let counter = match outcome {
            RepositoryOutcome::Listed => &mut self.listed,
            RepositoryOutcome::Unchanged => &mut self.unchanged,
            RepositoryOutcome::Incomplete => &mut self.incomplete,
            RepositoryOutcome::Truncated => &mut self.truncated,
            RepositoryOutcome::Denied => &mut self.denied,
            RepositoryOutcome::Missing => &mut self.missing,
            RepositoryOutcome::Failed => &mut self.failed,
            RepositoryOutcome::Refused => &mut self.refused,
            RepositoryOutcome::Filtered => {
                self.filtered += repositories;
                &mut self.filtered_named
            }
        };
        *counter += repositories;
    }

    /// Repositories in scope: those that were left out are not.
    #[must_use]
    pub fn in_scope(&self) -> u64 {
        self.listed + self.unchanged + self.short_of_complete()
    }

    /// Repositories in scope that were not seen completely.
    #[must_use]
    pub fn short_of_complete(&self) -> u64 {
        self.incomplete + self.truncated + self.denied + self.missing + self.failed + self.refused
    }

    /// Whether everything in scope was seen, to the best of what this credential can show.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.discovery_complete && self.short_of_complete() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_left_out_is_neither_in_scope_nor_short_of_complete() {
        let mut coverage = Coverage {
            discovery_complete: true,
            ..Coverage::default()
        };
        coverage.count(RepositoryOutcome::Listed, 2);
        coverage.count(RepositoryOutcome::Filtered, 3);
        assert_eq!((coverage.filtered, coverage.filtered_named), (3, 3));
        assert_eq!((coverage.in_scope(), coverage.short_of_complete()), (2, 0));
        assert!(coverage.is_complete() && !RepositoryOutcome::Filtered.is_complete());
        coverage.count(RepositoryOutcome::Denied, 1);
        assert_eq!((coverage.in_scope(), coverage.is_complete()), (3, false));
    }

    #[test]
    fn an_account_from_before_names_were_kept_is_read() {
        let mut old = serde_json::to_value(Coverage {
            filtered: 7,
            ..Coverage::default()
        })
        .unwrap();
        old.as_object_mut().unwrap().remove("filtered_named");
        let read: Coverage = serde_json::from_value(old).unwrap();
        assert_eq!((read.filtered, read.filtered_named), (7, 0));
    }
}
