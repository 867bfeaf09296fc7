//! What a preview of filters looks like.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::{Preview, RepositoryFate};
use crate::web::api::FindingView;

/// What other filters would match of a registry's inventory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RegistryPreview {
    /// When a run of the registry was last complete; null if none was, and then the inventory may lack anything.
    pub last_success_at: Option<Timestamp>,
    /// What becomes of the repositories in the inventory.
    pub repositories: PreviewedRepositories,
    /// What becomes of their tags.
    pub tags: PreviewedTags,
    /// The repositories of which most is left out, at most 100: the others are only counted.
    pub most_left_out: Vec<PreviewLine>,
    /// What is worth knowing of the new filters.
    pub findings: Vec<FindingView>,
}

/// Repositories in the inventory, by what becomes of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PreviewedRepositories {
    /// Wanted now and then.
    pub kept: u64,
    /// Wanted now, and left out then.
    pub left_out: u64,
    /// Left out now, and wanted then: only those that an earlier run saw.
    pub taken_in: u64,
    /// Wanted neither now nor then: only those that an earlier run saw.
    pub unwanted: u64,
}

/// Tags in the inventory, by what becomes of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PreviewedTags {
    /// Of repositories that are wanted then: kept.
    pub kept: u64,
    /// Of repositories that are wanted then: left out.
    pub left_out: u64,
    /// Of repositories that are left out then.
    pub in_left_out_repositories: u64,
    /// Of those that are kept: because it is not known when they were pushed.
    pub times_unknown: u64,
}

/// One repository of which something is left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PreviewLine {
    /// Which.
    pub repository: String,
    /// What becomes of it: `kept`, `left_out` or `taken_in`.
    pub fate: String,
    /// Tags that are kept.
    pub kept: u64,
    /// Tags that are left out.
    pub left_out: u64,
    /// Of those that are kept: because it is not known when they were pushed.
    pub times_unknown: u64,
}

impl From<Preview> for RegistryPreview {
    fn from(preview: Preview) -> Self {
        let lines = preview.repositories.into_iter().map(|repository| PreviewLine {
            repository: repository.name.to_string(),
            fate: word(repository.fate).to_owned(),
            kept: repository.kept,
            left_out: repository.left_out,
            times_unknown: repository.times_unknown,
        });
        Self {
            last_success_at: preview.last_success_at,
            repositories: PreviewedRepositories {
                kept: preview.kept,
                left_out: preview.left_out,
                taken_in: preview.taken_in,
                unwanted: preview.unwanted,
            },
            tags: PreviewedTags {
                kept: preview.tags_kept,
                left_out: preview.tags_left_out,
                in_left_out_repositories: preview.tags_in_left_out,
                times_unknown: preview.times_unknown,
            },
            most_left_out: lines.collect(),
            findings: preview.findings.into_iter().map(FindingView::from).collect(),
        }
    }
}

fn word(fate: RepositoryFate) -> &'static str {
    match fate {
        RepositoryFate::Kept => "kept",
        RepositoryFate::LeftOut => "left_out",
        RepositoryFate::TakenIn => "taken_in",
    }
}
