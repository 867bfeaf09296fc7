//! What a repository looks like.

use jiff::Timestamp;
use portolan_store::RepositoryRecord;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::KnownRegistries;
use crate::web::api::FreshnessView;

/// A repository.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Repository {
    /// The registry's name.
    pub registry: String,
    /// Its name.
    pub name: String,
    /// Tags in it.
    pub tags: u64,
    /// What came of it in the last run that looked at it: `listed`, `unchanged`, `incomplete`, `truncated`, `denied`, `missing`, `failed`
    /// or `refused`.
    pub outcome: String,
    /// When it was first seen.
    pub first_seen_at: Timestamp,
    /// When a run last looked at it.
    pub last_attempt_at: Timestamp,
    /// When it was last seen completely.
    pub last_success_at: Option<Timestamp>,
    /// When it was found to be gone.
    pub vanished_at: Option<Timestamp>,
    /// How fresh what is known of it is.
    pub freshness: FreshnessView,
}

impl Repository {
    pub(super) fn of(record: &RepositoryRecord, known: &KnownRegistries, now: Timestamp) -> Self {
        Self {
            freshness: known.judge_repository(record, now).into(),
            registry: record.registry_name.to_string(),
            name: record.name.to_string(),
            tags: record.tags,
            outcome: record.outcome.to_string(),
            first_seen_at: record.first_seen_at,
            last_attempt_at: record.last_attempt_at,
            last_success_at: record.last_success_at,
            vanished_at: record.vanished_at,
        }
    }
}
