//! What a run looks like.

use std::collections::BTreeMap;

use jiff::Timestamp;
use portolan_shared::model::{
    Coverage as CoverageAccount, CoverageEntry, RepositoryName, RunProgress, SensorId,
};
use portolan_store::{RunReason, RunRecord};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::web::api::FindingView;
use crate::web::api::registries::SensorName;

/// A registry, named.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = RegistryName)]
pub struct RegistryNamed {
    /// Its id.
    #[schema(format = "uuid")]
    pub id: String,
    /// Its name.
    pub name: String,
}

/// How far an attempt is. Totals grow while repositories are still being found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Progress {
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
    /// Bytes sent to the control plane so far.
    pub bytes_up: u64,
    /// Whether all repositories have been found.
    pub discovered: bool,
}

impl From<RunProgress> for Progress {
    fn from(progress: RunProgress) -> Self {
        Self {
            repositories_total: progress.repositories_total,
            repositories_done: progress.repositories_done,
            tags: progress.tags,
            manifests: progress.manifests,
            requests: progress.requests,
            bytes_up: progress.bytes_up,
            discovered: progress.discovered,
        }
    }
}

/// One method by which repositories were looked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = DiscoveryStep)]
pub struct DiscoveryStepView {
    /// Such as `gitlab.projects`, `catalog` or `explicit`.
    pub method: String,
    /// Repositories it gave that no method before it had given, before the registry's patterns.
    pub found: u64,
    /// Whether it gave all it has.
    pub complete: bool,
    /// Why it failed, stopped early, or is known not to show everything: why the next was needed.
    pub finding: Option<FindingView>,
}

/// One method by which the tags of repositories were listed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = ListingStep)]
pub struct ListingStepView {
    /// Such as `gitlab.v1` or `tags_list`.
    pub method: String,
    /// Repositories that it listed to their end.
    pub repositories: u64,
    /// Repositories for which it failed, so that the next method was used.
    pub given_up: u64,
    /// Why it failed the first time.
    pub finding: Option<FindingView>,
}

/// What a run saw, and what it could not see.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Coverage {
    /// Methods of discovery that were tried, in order.
    pub discovery: Vec<DiscoveryStepView>,
    /// Methods of listing tags that were used, in order of preference.
    #[serde(default)]
    pub listings: Vec<ListingStepView>,
    /// Whether all repositories that the credential can see are known to have been listed.
    pub discovery_complete: bool,
    /// Repositories found.
    pub found: u64,
    /// Of these, left out by the registry's patterns.
    pub filtered: u64,
    /// Of those left out, how many are named: see `outcome=filtered` of the run's coverage.
    #[serde(default)]
    pub filtered_named: u64,
    /// Of the rest: seen to the end, with something new.
    pub listed: u64,
    /// Seen to the end, nothing new.
    pub unchanged: u64,
    /// Committed, but some content could not be read.
    pub incomplete: u64,
    /// More tags than are kept.
    pub truncated: u64,
    /// Refused by the registry.
    pub denied: u64,
    /// Not known to the registry, or hidden.
    pub missing: u64,
    /// Could not be listed.
    pub failed: u64,
    /// Refused by the sensor's local policy.
    pub refused: u64,
    /// Tags observed.
    pub tags: u64,
    /// Tags that exist and were left out by the registry's tag filter; of a run with several attempts, so many at least.
    #[serde(default)]
    pub tags_filtered: u64,
}

impl From<CoverageAccount> for Coverage {
    fn from(account: CoverageAccount) -> Self {
        Self {
            discovery: account
                .discovery
                .into_iter()
                .map(|step| DiscoveryStepView {
                    method: step.method.to_string(),
                    found: step.found,
                    complete: step.complete,
                    finding: step.finding.map(FindingView::from),
                })
                .collect(),
            listings: account
                .listings
                .into_iter()
                .map(|step| ListingStepView {
                    method: step.method.to_string(),
                    repositories: step.repositories,
                    given_up: step.given_up,
                    finding: step.finding.map(FindingView::from),
                })
                .collect(),
            discovery_complete: account.discovery_complete,
            found: account.found,
            filtered: account.filtered,
            filtered_named: account.filtered_named,
            listed: account.listed,
            unchanged: account.unchanged,
            incomplete: account.incomplete,
            truncated: account.truncated,
            denied: account.denied,
            missing: account.missing,
            failed: account.failed,
            refused: account.refused,
            tags: account.tags,
            tags_filtered: account.tags_filtered,
        }
    }
}

/// Tags that a run found changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Changes {
    /// Tags that were not there before.
    pub appeared: u64,
    /// Tags that point elsewhere now.
    pub moved: u64,
    /// Tags that are gone.
    pub vanished: u64,
    /// Tags that exist and are left out by the registry's filter now.
    #[serde(default)]
    pub left_out: u64,
}

/// What asked for a run, when it was queued or while it was open.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = RunReason)]
pub struct RunReasonView {
    /// `manual`, `event`, `schedule` or `reconcile`.
    pub trigger: String,
    /// Who: the name of an API token, or `schedule`, with since when if that start was missed.
    pub requested_by: String,
    /// When.
    pub at: Timestamp,
}

impl From<RunReason> for RunReasonView {
    fn from(reason: RunReason) -> Self {
        Self {
            trigger: reason.trigger.to_string(),
            requested_by: reason.requested_by,
            at: reason.at,
        }
    }
}

/// A run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Run {
    /// Its id.
    #[schema(format = "uuid")]
    pub id: String,
    /// Of which registry.
    pub registry: RegistryNamed,
    /// Why: `manual` (a person), `event` (push events), `schedule` (its time had come) or `reconcile` (to find what no push event had announced).
    pub trigger: String,
    /// Only of these repositories; of all that the registry's patterns allow if this and `references` are empty.
    pub repositories: Vec<String>,
    /// Only these tags, as `REPOSITORY:TAG`, besides those repositories.
    #[serde(default)]
    pub references: Vec<String>,
    /// Who asked first: the name of an API token, or `schedule`.
    pub requested_by: String,
    /// Everything that has asked for it, the first first: at most 16.
    #[serde(default)]
    pub reasons: Vec<RunReasonView>,
    /// How often it was asked for besides.
    #[serde(default)]
    pub more_reasons: u64,
    /// `queued`, `leased`, `complete`, `partial`, `failed` or `cancelled`.
    pub state: String,
    /// Whether that is its end.
    pub ended: bool,
    /// Attempts so far.
    pub attempt: u32,
    /// Which sensor works on it, or last did.
    pub sensor: Option<SensorName>,
    /// The run that it waits for: one of the same registry and scope, which had begun when this one was asked for.
    #[serde(default)]
    #[schema(format = "uuid")]
    pub behind: Option<String>,
    /// When it was queued.
    pub queued_at: Timestamp,
    /// When its first attempt began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// When it fails if it has not ended by then; known once a sensor has taken it.
    #[serde(default)]
    pub deadline_at: Option<Timestamp>,
    /// How far it is.
    pub progress: Progress,
    /// Its account, final once it has ended.
    pub coverage: Coverage,
    /// Why it failed, or why its last attempt did, or why it waits.
    pub finding: Option<FindingView>,
    /// Tags that it found changed.
    pub changes: Changes,
    /// Manifests and image facts that were new to the tenant.
    pub content_stored: u64,
}

impl Run {
    pub(super) fn of(record: RunRecord, names: &BTreeMap<SensorId, String>) -> Self {
        Self {
            id: record.id.to_string(),
            registry: RegistryNamed {
                id: record.registry.to_string(),
                name: record.registry_name.to_string(),
            },
            trigger: record.trigger.to_string(),
            repositories: record
                .scope
                .repositories
                .iter()
                .map(ToString::to_string)
                .collect(),
            references: record.scope.references.iter().map(ToString::to_string).collect(),
            requested_by: record.requested_by,
            reasons: record.reasons.into_iter().map(RunReasonView::from).collect(),
            more_reasons: record.more_reasons,
            state: record.state.to_string(),
            ended: record.state.is_ended(),
            attempt: record.attempt,
            sensor: record.sensor.map(|id| SensorName::of(id, names)),
            behind: record.behind.map(|run| run.to_string()),
            queued_at: record.queued_at,
            started_at: record.started_at,
            ended_at: record.ended_at,
            deadline_at: record.deadline_at,
            progress: record.progress.into(),
            coverage: record.coverage.into(),
            finding: record.finding.map(FindingView::from),
            changes: Changes {
                appeared: record.changes.appeared,
                moved: record.changes.moved,
                vanished: record.changes.vanished,
                left_out: record.changes.left_out,
            },
            content_stored: record.content_stored,
        }
    }
}

/// A repository that a run did not see completely, or left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CoverageLine {
    /// Which.
    pub repository: String,
    /// `incomplete`, `truncated`, `denied`, `missing`, `failed`, `refused` or `filtered`.
    pub outcome: String,
    /// Why; nothing for those that the registry's patterns left out.
    pub finding: Option<FindingView>,
}

impl From<CoverageEntry> for CoverageLine {
    fn from(entry: CoverageEntry) -> Self {
        Self {
            repository: entry.repository.to_string(),
            outcome: entry.outcome.to_string(),
            finding: entry.finding.map(FindingView::from),
        }
    }
}

/// A run to be queued.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateRun {
    /// Only these repositories; all that the registry's patterns allow if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>, max_items = 100)]
    pub repositories: Vec<RepositoryName>,
}

/// A run that was asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = QueuedRun)]
pub struct QueuedRunView {
    /// The run.
    pub run: Run,
    /// It waited to begin already: the same registry and scope is never queued twice.
    pub joined: bool,
}
